"""Follow the pages of docs/ in shells, with the command that they call."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.dicom_network import ENVIRONMENT


@contextmanager
def terminal(commands: str, folder: Path, out: Path) -> Iterator[None]:
    """Run commands in a shell, until the block ends."""
    with out.open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-e", "-c", commands],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=make_environment(folder),
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def make_environment(folder: Path) -> dict[str, str]:
    """Return an environment with the command `dicodec`, as an installation has it."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, words in {"dicodec": "-m dicodec.cli.main", "python": ""}.items():
        (programs / name).write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n'
        )
        (programs / name).chmod(0o755)
    return {**ENVIRONMENT, "PATH": f"{programs}:{ENVIRONMENT['PATH']}"}


def run_command(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell's command in a folder, as a reader of the docs does."""
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env=make_environment(folder),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
