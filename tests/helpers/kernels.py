"""The compiled kernels, and the package without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

from dicodec import _kernels
from dicodec.errors import DicodecError
from helpers.installed import end_without


def kernels() -> ModuleType:
    """Return the extension; the test ends here if there is none."""
    return _kernels.COMPILED or end_without("the compiled kernels")


@contextmanager
def without_kernels() -> Iterator[None]:
    """Let codecs use their libraries."""
    kernels()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_kernels, "COMPILED", None)
        yield


def outcome_of(work: Callable[[], object]) -> object:
    """Return the result of some work, or all that its error says to people and programs."""
    try:
        return work()
    except DicodecError as error:
        return type(error), error.code, error.message, error.attribute, error.hint
