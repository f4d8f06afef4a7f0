"""Results written by hand, to see how they take their places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dicodec.conversion.output.result_file import create_result


@contextmanager
def create_output(target: Path, **settings: Any) -> Iterator[Path]:
    """Yield the path of the part file that `create_result` makes."""
    with create_result(target, **settings) as part:
        yield part.path
