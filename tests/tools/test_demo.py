"""The demonstration is one of the two commands that a newcomer runs: it has to end well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_demonstration_ends_well() -> None:
    demo = Path(__file__).parents[2] / "tools" / "demo.py"
    done = subprocess.run([sys.executable, demo], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert done.stdout.rstrip().endswith("the same pixels, 0 with others")
