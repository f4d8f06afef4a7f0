"""Build what a release consists of, and try it: `make dist`.

Writes to dist/ the source distribution, a wheel with the compiled kernels for this platform, one
without them that serves every other platform, and the list of what the package needs (SBOM,
CycloneDX). Builds start from the files of the last commit in a new folder, twice, and have to give
the same bytes. Then each wheel is installed into an environment of its own, where the demonstration
runs.

    make dist               # all of it
    make dist ARGS=--build  # only build

Wheels for other platforms are built by cibuildwheel: see .github/workflows/release.yml.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"

PURE = (("sdist", "1"), ("wheel", "1"))
ALL = (*PURE, ("wheel", ""))

BUILD = """
import os, sys
from setuptools import build_meta
print(getattr(build_meta, "build_" + sys.argv[1])(sys.argv[2]))
"""

TRIAL = """
import sys, dicodec
assert dicodec.__file__.startswith(sys.prefix), dicodec.__file__
"""


def main(options: list[str]) -> int:
    """Build twice, compare, and try the wheels."""
    with tempfile.TemporaryDirectory(prefix="dicodec-dist-") as folder:
        first, second = (build(Path(folder) / name, ALL) for name in ("first", "second"))
        if len(first) < len(ALL):
            print("the kernels were not compiled: is there a compiler?", file=sys.stderr)
            return 1
        differ = [name for name in first if digest(first[name]) != digest(second[name])]
        if differ or first.keys() != second.keys():
            print("two builds differ:", *differ, file=sys.stderr)
            return 1
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        for path in first.values():
            shutil.copy2(path, DIST)
    write_bill_of_materials(DIST / f"dicodec-{find_version()}.cdx.json")
    if "--build" not in options:
        for wheel in sorted(DIST.glob("*.whl")):
            try_wheel(wheel)
    sums = DIST / "SHA256SUMS"
    lines = [f"{digest(path)}  {path.name}\n" for path in sorted(DIST.iterdir())]
    sums.write_text("".join(lines))
    print("".join(lines), end="")
    return 0


def build(folder: Path, kinds: Sequence[tuple[str, str]]) -> dict[str, Path]:
    """Build from the last commit; return the files by their names.

    Args:
        folder: where to build.
        kinds: of files, and whether without kernels: "1", or "" with them.
    """
    source, out = folder / "source", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    archive = run(["git", "archive", "HEAD"], ROOT)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(find_time())}
    environment.pop("PYTHONPATH", None)
    built = []
    manual = [sys.executable, "tools/shell_files.py", "man", "man"]
    run(manual, source, environment | {"PYTHONPATH": str(source / "src")})
    for kind, pure in kinds:
        command = [sys.executable, "-c", BUILD, kind, str(out)]
        answer = run(command, source, environment | {"DICODEC_PURE": pure})
        built.append(out / answer.decode().splitlines()[-1])
        shutil.rmtree(source / "build", ignore_errors=True)
        if kind == "sdist":
            settle_archive(built[-1], find_time())
    return {path.name: path for path in built}


def settle_archive(path: Path, seconds: int) -> None:
    """Give a source distribution one owner, one time and one order, whoever built it."""
    raw = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=raw, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = seconds
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
    path.write_bytes(gzip.compress(raw.getvalue(), mtime=seconds))


def write_bill_of_materials(path: Path) -> None:
    """Write the packages that a release needs, with their digests, as CycloneDX; validated."""
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "requirements.lock"]
    command += ["--pyproject", "pyproject.toml", "--output-reproducible", "--validate"]
    run([*command, "--spec-version", "1.6", "--output-format", "JSON", "-o", str(path)], ROOT)


def try_wheel(wheel: Path) -> None:
    """Install a wheel into an environment of its own, and run the demonstration from it."""
    print(f"trying {wheel.name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="dicodec-wheel-") as folder:
        environment = os.environ.copy()
        environment.pop("PYTHONPATH", None)
        run([sys.executable, "-m", "venv", folder], ROOT)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for lock in ("requirements.lock", "requirements-demo.lock"):
            run([*pip, "--require-hashes", "-r", str(ROOT / lock)], Path(folder))
        run([*pip, "--no-deps", "--no-index", str(wheel)], Path(folder))
        run([str(python), "-c", TRIAL], Path(folder), environment)
        for command in (["--version", "-v"], ["doctor"]):
            run([str(python.with_name("dicodec")), *command], Path(folder), environment)
        said = run([str(python), str(ROOT / "tools" / "demo.py")], Path(folder), environment)
        print(" ", said.decode().splitlines()[-1])


def find_version() -> str:
    """Return the version, which stands in one file."""
    names: dict[str, str] = {}
    path = ROOT / "src" / "dicodec" / "model" / "implementation.py"
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102 - our own file
    return names["VERSION"]


def find_time() -> int:
    """Return when the last commit was made, in seconds since 1970."""
    return int(run(["git", "log", "-1", "--format=%ct"], ROOT))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> bytes:
    """Run a program and return what it printed; stop with its errors if it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode:
        sys.stderr.buffer.write(done.stdout + done.stderr)
        raise SystemExit(f"{' '.join(command)} failed")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
