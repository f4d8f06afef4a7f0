"""Compiled inner loops, a family of codecs in each C file; they import nothing and are optional.

Where the package was built without a compiler, `COMPILED` is None, and codecs use their libraries:
the samples are the same. `DICODEC_KERNELS=none` has the same effect, for comparing the two.
See docs/kernels.md.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

VARIABLE = "DICODEC_KERNELS"
"""Name of the environment variable; "none" turns the kernels off."""


def _load() -> ModuleType | None:
    if os.environ.get(VARIABLE) == "none":
        return None
    try:
        return import_module("dicodec._kernels._compiled")
    except ImportError:
        return None


COMPILED = _load()
"""The extension, or None; `_compiled.pyi` has its functions."""
