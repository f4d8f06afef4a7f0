"""Files for the output of processes: read only if one of them ends before its time."""

from __future__ import annotations

import os

from dicodec.model.platforms import read_at, write_at_end

_WORDS_KEPT = 500
"""Characters that an error quotes, from the end."""


def open_unnamed(name: str) -> int:
    """Return the descriptor of a new file without a path; `name` is for who looks into /proc."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class WordsFile:
    """A file without a name. Writers append to it.

    Attributes:
        descriptor: of the file.
    """

    def __init__(self) -> None:
        self.descriptor = open_unnamed("dicodec-words")
        write_at_end(self.descriptor)

    def clear(self) -> None:
        """Forget everything."""
        os.truncate(self.descriptor, 0)

    def read(self) -> str:
        """Return the last words, in one line."""
        size = os.fstat(self.descriptor).st_size
        kept = read_at(self.descriptor, _WORDS_KEPT, max(0, size - _WORDS_KEPT))
        return " ".join(kept.decode(errors="replace").split())

    def close(self) -> None:
        """Close the file, which ends when nobody has it open any more."""
        os.close(self.descriptor)
