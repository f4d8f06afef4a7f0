"""`dicodec --version -v`: print the versions of all parts, and whether there are kernels."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from dicodec import _kernels


def list_versions() -> list[str]:
    """Return a line for each; nothing is imported for it."""
    return [
        f"Python {platform.python_version()}",
        f"NumPy {version('numpy')}",
        f"imagecodecs {version('imagecodecs')}",
        f"kernels: {describe_kernels()}",
    ]


def describe_kernels() -> str:
    """Say in a few words whether there are kernels, and why not."""
    if _kernels.COMPILED is not None:
        return f"compiled; instructions: {_kernels.COMPILED.INSTRUCTIONS or 'those of every one'}"
    if os.environ.get(_kernels.VARIABLE) == "none":
        return f"turned off by {_kernels.VARIABLE}=none"
    return "not compiled"
