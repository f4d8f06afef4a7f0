"""Run pydicom's own tests of decoders and encoders with our plugin; `make test-pydicom`.

They are in pydicom's source distribution, which pip fetches, with their files and the other
plugins. Each test runs without our plugin, with it first, and with it in the place of the plugin
that the test names. What fails with ours alone has to be in pydicom_exceptions.tsv, with its cause,
and nothing else may be there.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tarfile
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
FOLDER = TOOLS.parent / "build" / "pydicom"
OTHERS = ("pydicom-data==1.0.0", "pyjpegls==1.5.1", "pylibjpeg-libjpeg==2.5.0",
          "pylibjpeg-rle==2.2.0")  # fmt: skip
FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?)(?: - .*)?$", re.MULTILINE)
ENDED = re.compile(r"^.*\d+ passed.*$", re.MULTILINE)


def fetch() -> Path:
    """Return pydicom's sources, fetched once."""
    name = f"pydicom-{version('pydicom')}"
    sources = FOLDER / name
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if not sources.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        wanted = [name.replace("-", "=="), "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "download", "-q", "-d", FOLDER, *wanted], check=True)
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    others = FOLDER / "others"
    if not others.is_dir():
        subprocess.run(
            [*pip, "install", "-q", "--no-deps", "--target", others, *OTHERS], check=True
        )
    return sources


def run(sources: Path, how: str) -> set[str]:
    """Return the tests that fail with our plugin chosen in some way."""
    paths = [TOOLS.parent / "src", FOLDER / "others", TOOLS]
    environment = {
        **os.environ,
        "DICODEC_PYDICOM_TESTS": how,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(sources),
               "-p", "no:cacheprovider", "-p", "pydicom_plugin_chosen", "-W", "ignore", "-rfE",
               "--tb=no", "tests/pixels"]  # fmt: skip
    done = subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, text=True, check=False
    )
    ended = ENDED.search(done.stdout)
    if ended is None:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    print(f"{how or 'without':8} {ended[0].strip('= ')}", flush=True)
    return set(FAILED.findall(done.stdout))


def main() -> int:
    """Run all tests three times, and return the exit status."""
    sources = fetch()
    with (TOOLS / "pydicom_exceptions.tsv").open(encoding="utf-8", newline="") as file:
        known = [row["pattern"] for row in csv.DictReader(file, delimiter="\t")]
    without = run(sources, "")
    wrong = [f"fails if ours is first: {test}" for test in sorted(run(sources, "first") - without)]
    instead = run(sources, "instead") - without
    wrong += [
        f"fails with ours: {test}"
        for test in sorted(instead)
        if not any(fnmatchcase(test, pattern) for pattern in known)
    ]
    wrong += [
        f"no test fails that is like {pattern}"
        for pattern in known
        if not any(fnmatchcase(test, pattern) for test in instead)
    ]
    print(*wrong, f"{len(instead)} exceptions are known", sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
