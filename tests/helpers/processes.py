"""Processes of this machine, as /proc shows them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def find_children(process: int | None = None) -> set[int]:
    """Return the processes that this one, or another, has started and not waited for."""
    found: set[int] = set()
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{process or 'self'}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found |= {int(one) for one in (task / "children").read_text().split()}
    return found


def find_grandchildren(process: int | None = None) -> set[int]:
    """Return the children's children: of a pool, or a batch, its workers."""
    return {one for child in find_children(process) for one in find_children(child)}


def runs(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def read_command(process: int) -> bytes:
    """Return a process's command line; nothing of one that has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
