"""Resolve the dependencies that pyproject.toml names and pin every version, transitive ones too.

Writes requirements.lock (what runs and builds), requirements-test.lock (what the tests add) and
requirements-bench.lock (what the benchmark adds to both); `lock.py bench` writes the last alone.
Only names and versions are kept: where packages come from is for each machine to say.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resolved(requirements: list[str], constraints: list[str]) -> list[str]:
    """Install into an environment of its own and return what came, as sorted name==version."""
    with tempfile.TemporaryDirectory() as folder:
        limits = Path(folder) / "constraints.txt"
        limits.write_text("\n".join(constraints))
        python = Path(folder) / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", Path(folder) / "venv"], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "-c", limits, *requirements], check=True)
        frozen = subprocess.run(
            [*pip, "freeze", "--all", "--exclude", "pip"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return sorted(frozen.splitlines(), key=str.lower)


def write_lock(name: str, what: str, pins: list[str]) -> None:
    """Write one lock file."""
    lines = [f"# {what}; made by `make lock`, do not edit", *pins]
    (ROOT / name).write_text("\n".join(lines) + "\n")


def pinned(name: str) -> list[str]:
    """Return the pins of a lock file."""
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def main(only: str = "") -> None:
    """Write the locks; tests and benchmark run with exactly the versions that users get."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = project["build-system"]["requires"]
    run = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    if only != "bench":
        core = resolved([*build, *run], [])
        write_lock("requirements.lock", "what the package needs to build and run", core)
        found = resolved([*build, *run, *groups["test"]], core)
        added = [pin for pin in found if pin not in core]
        what = "what the tests need on top of requirements.lock"
        write_lock("requirements-test.lock", what, added)
    there = [*pinned("requirements.lock"), *pinned("requirements-test.lock")]
    added = [pin for pin in resolved([*run, *groups["bench"]], there) if pin not in there]
    what = "what the benchmark needs on top of requirements-test.lock"
    write_lock("requirements-bench.lock", what, added)


if __name__ == "__main__":
    main(*sys.argv[1:])
