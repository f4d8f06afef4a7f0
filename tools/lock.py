"""Resolve the dependencies that pyproject.toml names and pin every file, transitive ones too.

Writes requirements.lock (what runs and builds), requirements-demo.lock (what the demonstration
adds), requirements-test.lock (what the tests add to both) and requirements-bench.lock (what the
benchmark adds to all). Names, versions and digests are kept, no addresses: where packages come from
is for each machine to say, and the digests hold whatever it gives to be what was tried here. One
lock serves every platform and every Python that is supported. requirements-engines.lock is for an
environment of its own, because the engines of clusters are large and want older packages, and
requirements-dist.lock, requirements-docs.lock and requirements-charts.lock for others, in which
releases and the site of the docs are built, and charts are tried. requirements-image.lock is what
the image of a container holds.

`lock.py` adds what is missing and takes out what nothing needs any more; `lock.py --upgrade` takes
the newest version of everything.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A pin begins at the margin; its digests follow in lines that are indented.
PIN = re.compile(r"^([A-Za-z0-9][^\s=]*)==.*\n(?: .*\n)*", re.MULTILINE)
LOCKS = {
    "requirements.lock": "what the package needs to build and run",
    "requirements-demo.lock": "what the demonstration needs on top of requirements.lock",
    "requirements-test.lock": "what the tests need on top of requirements-demo.lock",
    "requirements-bench.lock": "what the benchmark needs on top of requirements-test.lock",
}

ALONE = {
    "requirements-engines.lock": "the engines of clusters, and what the package needs",
    "requirements-dist.lock": "what builds a release, and what the package needs",
    "requirements-docs.lock": "what builds the site of the docs, and what the package needs",
    "requirements-charts.lock": "what renders and validates charts, and what the package needs",
    "requirements-image.lock": "what the image of docs/deploy holds beside the package",
}
"""Locks that do not add to the others."""

IMAGE = ("worker", "serve", "cloud", "postgres", "gateway")
"""The extras of the package that the image has."""


def resolve(
    requirements: list[str], oldest: str, fixed: dict[str, str], liked: str, options: list[str]
) -> dict[str, str]:
    """Return the pin of each distribution that the requirements need, by its name.

    Versions in `fixed` stay as they are; those in `liked` stay if they can.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints, output = Path(folder) / "constraints.txt", Path(folder) / "output.txt"
        constraints.write_text("".join(fixed.values()))
        output.write_text(liked)
        command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal"]
        command += ["--python-version", oldest, "--no-python-downloads", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", *options]
        command += ["--constraint", str(constraints), "--output-file", str(output)]
        subprocess.run(
            command, input="\n".join(requirements), check=True, stdout=subprocess.PIPE, text=True
        )
        return {match[1]: match[0] for match in PIN.finditer(output.read_text())}


def main(options: list[str]) -> None:
    """Write the locks; tests and benchmark run with exactly the versions that users get."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = document["project"], document["dependency-groups"]
    oldest = project["requires-python"].removeprefix(">=")
    first = [*document["build-system"]["requires"], *project["dependencies"]]
    requirements = [*first]
    liked = "".join((ROOT / name).read_text() for name in LOCKS if (ROOT / name).exists())
    pins: dict[str, str] = {}
    for name, what in LOCKS.items():
        requirements += groups.get(name.removeprefix("requirements-").removesuffix(".lock"), [])
        found = resolve(requirements, oldest, pins, liked, options)
        added = "".join(pin for distribution, pin in found.items() if distribution not in pins)
        write_lock(name, what, added)
        pins |= found
    for name, what in ALONE.items():
        if name == "requirements-image.lock":
            extras = project["optional-dependencies"]
            group = [one for extra in IMAGE for one in extras[extra]]
        else:
            group = groups[name.removeprefix("requirements-").removesuffix(".lock")]
        liked = (ROOT / name).read_text() if (ROOT / name).exists() else ""
        found = resolve([*first, *group], oldest, {}, liked, options)
        write_lock(name, what, "".join(found.values()))


def write_lock(name: str, what: str, pins: str) -> None:
    """Write one lock file."""
    (ROOT / name).write_text(f"# {what}; made by `make lock`, do not edit\n{pins}")


if __name__ == "__main__":
    main(sys.argv[1:])
