"""The option --limit of all commands that read files."""

from __future__ import annotations

import argparse


def add_limit(command: argparse.ArgumentParser) -> None:
    """Declare the option."""
    command.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="limits",
        help="bound what a file may claim, as frame_size=1G; may be repeated, see docs/limits.md",
    )
