"""Engines of clusters, which are in an environment of their own: `make setup-engines` makes it.

They are large, and Beam wants older packages than the tests. So the tests start programs with that
environment's Python. Where it is missing they are skipped, also in continuous integration, unless
DICODEC_TESTS_ENGINES=1 says that it has to be there, as `make test-engines` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import dicodec
from helpers.installed import end_lacking

SOURCE = str(Path(dicodec.__file__).parents[1])
"""Folder that the package is imported from."""


def find_python() -> Path:
    """Return the engines' Python, which need not be there."""
    return Path(os.environ.get("DICODEC_ENGINES", Path(sys.prefix, "engines")), "bin", "python")


def engine(module: str) -> str:
    """Return the Python that has a module; the test that needs it ends here if there is none."""
    if not _has(module):
        end_lacking(module, may_skip=os.environ.get("DICODEC_TESTS_ENGINES") != "1")
    return str(find_python())


@cache
def _has(module: str) -> bool:
    if not find_python().exists():
        return False
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([find_python(), "-c", look], check=False).returncode == 0
