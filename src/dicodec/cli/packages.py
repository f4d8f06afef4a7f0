"""Name the package to install if one of an optional extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.errors import InvalidOptionError
from dicodec.model.installation import describe_extra


@contextmanager
def require_packages(extra: str, packages: str) -> Iterator[None]:
    """Turn a failed import within the block into an error that names the package to install.

    Raises:
        InvalidOptionError: an import fails.
    """
    try:
        yield
    except ImportError as cause:
        raise InvalidOptionError(
            f"{packages} are not installed ({cause.name})", hint=describe_extra(extra)
        ) from cause
