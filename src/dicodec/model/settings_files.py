"""Read files of settings, tokens and keys, whose names may be those of large files by mistake."""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import os

LARGEST_SETTINGS = 16 << 20
"""Bytes of a file at most, far above the needs of real ones."""


def read_settings(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: it cannot be read, or is larger than any such file.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - few starts need a path object
        content = file.read(LARGEST_SETTINGS + 1)
    if len(content) > LARGEST_SETTINGS:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST_SETTINGS >> 20} MiB", path)
    return content
