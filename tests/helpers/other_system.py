"""Run the command as if on another operating system: what that lacks is taken away first.

    python other_system.py macos|windows ARGUMENT...

Python's own library is loaded before, because it would look at the system too. This shows what the
package does without those calls; it does not show what the other system does.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_GONE = {
    "macos": {
        os: (
            "waitid", "memfd_create", "sched_getaffinity", "posix_fadvise", "sendfile", "O_PATH",
            "listxattr", "getxattr", "setxattr", "copy_file_range",
        ),
        select: (),
        signal: (),
    },
    "windows": {
        os: (
            "fork", "waitid", "killpg", "setsid", "memfd_create", "sched_getaffinity",
            "posix_fadvise", "posix_fallocate", "sendfile", "pread", "pwrite", "chown", "fchmod",
            "geteuid", "getuid", "listxattr", "getxattr", "setxattr", "copy_file_range",
            "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_PATH",
        ),
        select: ("poll",),
        signal: ("SIGHUP", "SIGKILL", "SIGURG", "pthread_sigmask"),
    },
}  # fmt: skip
_BLOCKED = {
    "macos": (),
    "windows": ("fcntl", "resource", "pwd", "grp", "termios", "tty"),
}
_NAMES = {"macos": "darwin", "windows": "win32"}


def become(system: str) -> None:
    """Take away what a system lacks."""
    import concurrent.futures.thread
    import csv
    import ctypes
    import fcntl
    import shutil
    import sqlite3
    import subprocess
    import tempfile
    import uuid

    import imagecodecs
    import numpy
    import rich.console
    import rich.filesize

    loaded = (
        concurrent.futures.thread, csv, ctypes, shutil, sqlite3, subprocess, tempfile, uuid,
        imagecodecs, numpy, rich,
    )  # fmt: skip
    assert all(loaded)
    for module, names in _GONE[system].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in ("F_SETLEASE", "F_SETSIG"):
        delattr(fcntl, name)
    for blocked in _BLOCKED[system]:
        sys.modules[blocked] = None  # type: ignore[assignment]
    if system == "windows":
        os.supports_dir_fd.clear()
    sys.platform = _NAMES[system]


if __name__ == "__main__":
    become(sys.argv[1])
    from dicodec.cli.main import run

    sys.exit(run(sys.argv[2:]))
