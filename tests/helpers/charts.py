"""Helm, the schemas of Kubernetes and hadolint, in an environment of their own: `make test-charts`.

They are large. Where the environment is missing its tests are skipped, also in continuous
integration, unless DICODEC_TESTS_CHARTS=1 says that it has to be there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers.installed import end_lacking

_SCRIPT = Path(__file__).with_name("chart_child.py")


def find_program(name: str) -> Path:
    """Return a program of the environment; the test that needs it ends here if there is none."""
    folder = Path(os.environ.get("DICODEC_CHARTS", Path(sys.prefix, "charts")))
    found = folder / "bin" / name
    if not found.exists():
        may_skip = os.environ.get("DICODEC_TESTS_CHARTS") != "1"
        end_lacking(f"{name} (make test-charts)", may_skip=may_skip)
    return found


def ask(**request: Any) -> Any:
    """Have the environment's Python lint, render or validate; see chart_child.py."""
    done = subprocess.run(
        [find_program("python"), _SCRIPT],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
