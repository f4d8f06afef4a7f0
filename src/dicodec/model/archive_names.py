"""Names of archives: apart from their readers, because every command line is checked for them."""

from __future__ import annotations

ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst",
)  # fmt: skip


def is_archive(path: str) -> bool:
    """Return whether a source's name is that of an archive."""
    return path.lower().endswith(ARCHIVE_SUFFIXES)
