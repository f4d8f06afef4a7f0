"""Links that take the place of folders, as an attacker would put them there."""

from __future__ import annotations

from pathlib import Path


def exchange_for_link(folder: Path, elsewhere: Path) -> None:
    """Move a folder away, and put a link to another one in its place."""
    folder.rename(folder.with_name(f"{folder.name}-away"))
    folder.symlink_to(elsewhere)
