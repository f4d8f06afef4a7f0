"""Try what docs/archivist.md promises on a folder of real files, and print its figures.

    python bench/archivist.py FOLDER

The estimate of each policy beside the real sum; a folder in place and back, byte for byte; a
manifest, and files that were tampered with.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dicodec.cli.main import run

WAYS = (
    "--policy archive", "--policy fast-archive", "--policy web", "--policy legacy", "--to rle",
    "--to jpeg2000-lossless", "--to jpeg-ls", "--to explicit-le",
)  # fmt: skip


def call(*arguments: str) -> tuple[int, list[dict[str, Any]], float]:
    """Run the command, and return its status, its lines of JSON, and the seconds."""
    out, started = io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = run([*arguments, "--json"])
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return status, lines, time.monotonic() - started


def estimate(source: Path, work: Path) -> None:
    """Print the estimate of each way beside the sum of its results."""
    print("| way | before | estimate | interval | real | within | files coded | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for way in WAYS:
        _, lines, _ = call("convert", str(source), *way.split(), "--dry-run")
        found = lines[-1]["summary"]["estimate"]
        out = work / "out"
        _, lines, _ = call("convert", str(source), *way.split(), "-o", str(out))
        real = lines[-1]["summary"]["bytes_after"]
        shutil.rmtree(out)
        low, high = found["low"], found["high"]
        print(
            f"| `{way}` | {found['bytes_before'] / 1e6:.1f} MB "
            f"| {found['bytes_after'] / 1e6:.2f} MB | {low / 1e6:.2f} to {high / 1e6:.2f} MB "
            f"| {real / 1e6:.2f} MB | {'yes' if low <= real <= high else 'no'} "
            f"| {found['coded_files']} of {found['files']} | {found['seconds']:.1f} |"
        )


def state(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return content, mode and times of the files in a folder, but for the ledger."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".dicodec-ledger")
    }  # fmt: skip


def restore(source: Path, work: Path) -> None:
    """Convert a copy in place, and put its originals back."""
    folder = work / "archive"
    shutil.copytree(source, folder)
    before = state(folder)
    call("convert", str(folder), "--policy", "archive", "--in-place", "--backup", ".orig")
    changed = sum(one != before.get(name) for name, one in state(folder).items())
    _, lines, seconds = call("restore", str(folder))
    found, same = lines[-1]["summary"], state(folder) == before
    print(f"restore: {changed} files new or changed, then {found}, in {seconds:.1f} s; same {same}")


def prove(source: Path, work: Path) -> None:
    """Make a manifest, tamper with files of each kind, and audit."""
    out, manifest, key = work / "proved", work / "manifest", work / "key"
    call("audit", "--make-key", str(key))
    _, _, plain = call("convert", str(source), "--policy", "archive", "-o", str(out), "--verify")
    shutil.rmtree(out)
    arguments = ("-o", str(out), "--manifest", str(manifest), "--key", str(key))
    _, _, seconds = call("convert", str(source), "--policy", "archive", *arguments)
    print(f"convert --verify {plain:.1f} s, with a manifest {seconds:.1f} s")
    audit = ("audit", str(manifest), str(out), "--key", f"{key}.pub")
    status, lines, seconds = call(*audit)
    print(f"audit: status {status}, {lines[-1]['summary']}, in {seconds:.1f} s")
    _, lines, _ = call(*audit, "--independent")
    print(f"witnessed by GDCM: {lines[-1]['summary']['witnessed']}")
    chance = random.Random(1)
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name[0] != ".")
    hit = chance.sample(files, 60)
    for path in hit[:40]:  # one bit anywhere
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    for path in hit[40:50]:
        path.unlink()
    one, two = hit[50], hit[51]
    one.rename(work / "aside")
    two.rename(one)
    (work / "aside").rename(two)
    for number in range(5):
        (out / f"new-{number}").write_bytes(b"new")
    status, lines, _ = call(*audit)
    print(f"tampered: status {status}, {lines[-1]['summary']['faults']}")
    content = bytearray(manifest.read_bytes())
    found = 0
    for _ in range(100):
        other, at = bytearray(content), chance.randrange(len(content))
        other[at] ^= 1 << chance.randrange(8)
        manifest.write_bytes(other)
        found += call(*audit)[0] in {1, 2}
    print(f"manifests with one other bit: {found} of 100 refused")


def main(source: Path) -> None:
    """Carry out all trials."""
    with tempfile.TemporaryDirectory() as work:
        for trial in (estimate, restore, prove):
            trial(source, Path(work))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
