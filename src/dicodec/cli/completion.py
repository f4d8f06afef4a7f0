"""`dicodec completion`: print the code by which a shell completes the command's words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

FILES = {"bash": "dicodec.bash", "zsh": "_dicodec", "fish": "dicodec.fish"}
"""The file of each shell; `tools/shell_files.py` makes them from the declarations of arguments."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.add_argument("shell", metavar="SHELL", choices=FILES, help=", ".join(FILES))


def run(arguments: argparse.Namespace) -> int:
    """Print the file of a shell, and return the exit status."""
    folder = Path(__file__).with_name("completions")
    sys.stdout.write((folder / FILES[arguments.shell]).read_text(encoding="utf-8"))
    return 0
