"""Runs all benchmarks: `make bench`. What is given is handed to each of them.

python bench/run.py --short
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run speed.py and memory.py; return 1 where either missed a measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", help="where there is room for 4 GB")
    parser.add_argument("--short", action="store_true", help="small files: to see that all works")
    given = parser.parse_args()
    folder = ["--folder", given.folder] if given.folder else []
    speed = subprocess.run(
        [sys.executable, HERE / "speed.py", *folder, *(["--short"] if given.short else [])],
        check=False,
    )
    memory = subprocess.run(
        [
            sys.executable,
            HERE / "memory.py",
            *folder,
            *(["--size-mb", "60"] if given.short else []),
        ],
        check=False,
    )
    return int(bool(speed.returncode or memory.returncode))


if __name__ == "__main__":
    sys.exit(main())
