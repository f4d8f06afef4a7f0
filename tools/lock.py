"""Resolve the dependencies that pyproject.toml names and pin every version, transitive ones too.

Writes requirements.lock (what runs and builds) and requirements-test.lock (what the tests add).
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


def main() -> None:
    """Write both locks; the tests run with exactly the versions that users get."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = project["build-system"]["requires"]
    run = project["project"]["dependencies"]
    test = project["dependency-groups"]["test"]
    core = resolved([*build, *run], [])
    write_lock("requirements.lock", "what the package needs to build and run", core)
    added = [pin for pin in resolved([*build, *run, *test], core) if pin not in core]
    write_lock("requirements-test.lock", "what the tests need on top of requirements.lock", added)


if __name__ == "__main__":
    main()
