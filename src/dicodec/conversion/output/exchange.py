"""Exchange the names of two files in one step (renameat2(2)), which Python's os module cannot."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_POSSIBLE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def exchange_names(one: Path, two: Path) -> bool:
    """Give each of two files the other one's name; at no moment is a name missing.

    Returns:
        False if the system or the file system cannot do it; then nothing has changed.

    Raises:
        OSError: it can, and these two cannot be exchanged.
    """
    renameat2 = _load_renameat2()
    if renameat2 is None:
        return False
    names = os.fsencode(one), os.fsencode(two)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_POSSIBLE:
        return False
    raise OSError(number, os.strerror(number), str(two))


@cache
def _load_renameat2() -> Any:
    """Return the function of the C library; None if it has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        text, number = ctypes.c_char_p, ctypes.c_int
        function.argtypes = (number, text, number, text, ctypes.c_uint)
    return function
