"""Say how to install an optional extra of this package."""

from __future__ import annotations

import shlex
from pathlib import Path


def describe_extra(name: str) -> str:
    """Return the command that installs an extra, from the checkout that this program runs in.

    Args:
        name: of the extra, such as "gdcm".
    """
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file() and (root / "src" / "dicodec").is_dir():
        return f"pip install -e {shlex.quote(f'{root}[{name}]')}"
    return f"pip install 'dicodec[{name}]'"
