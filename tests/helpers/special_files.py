"""Files that are not regular ones."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def make_special(path: Path, kind: str) -> None:
    """Make a pipe, a socket, a link to a device, or a folder in the place of what is there."""
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(os.path.relpath(path))
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
