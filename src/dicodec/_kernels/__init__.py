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


_AT_ONCE = 60.0
"""Seconds within which the files of one copy are written."""


def _load() -> ModuleType | None:
    if os.environ.get(VARIABLE) == "none":
        return None
    try:
        found = import_module("dicodec._kernels._compiled")
    except ImportError:
        return None
    if is_outdated(os.path.dirname(__file__), found.__file__ or ""):  # noqa: PTH120 - Path is slow
        import warnings

        words = "the compiled kernels are older than their source, and not used: `make setup`"
        warnings.warn(words, RuntimeWarning, stacklevel=1)
        return None
    return found


def is_outdated(folder: str, extension: str) -> bool:
    """Return whether a checkout has other functions than its extension was built with.

    `git pull` brings new sources, and builds nothing. What is installed from a wheel has none.

    Args:
        folder: of the sources.
        extension: the file of the extension.
    """
    try:
        os.stat(f"{folder}/glue.h")  # noqa: PTH116
        described = os.stat(f"{folder}/_compiled.pyi").st_mtime  # noqa: PTH116
        return described > os.stat(extension).st_mtime + _AT_ONCE  # noqa: PTH116
    except OSError:
        return False


COMPILED = _load()
"""The extension, or None; `_compiled.pyi` has its functions."""
