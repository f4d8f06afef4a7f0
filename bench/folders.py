"""Trials of folders that take too long for the tests; each prints what came out as a line of JSON.

    python bench/folders.py kills --count 500
    python bench/folders.py disk            # mounts a small tmpfs, so it needs to be root
    python bench/folders.py neighbors
    python bench/folders.py many --count 100000

A trial whose outcome is not as promised ends with an error.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import CONVERT, MAKE, FailedError, run

DICODEC = (sys.executable, "-m", "dicodec.cli.main")
GIVEN_UP = 3.0


def main() -> int:
    """Run one trial."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--count", type=int, help="kills, or files")
    parser.add_argument("--folder", type=Path, help="where there is room")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        outcome = TRIALS[given.trial](Path(folder), given.count)
    print(json.dumps({"trial": given.trial, **outcome}))
    return 0


def kills(folder: Path, count: int | None) -> dict[str, object]:
    """Kill an in-place conversion of a folder at random moments, and resume it at last.

    After each kill every file has to be whole: its samples are compared with the first ones'.
    """
    chance = random.Random(1)
    files = _copies(folder / "files", 40)
    samples = _samples(files[0])
    done, completed, target = count or 500, 0, "jpeg-ls"
    for _ in range(done):
        command = _in_place(folder, target)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.1, 1.2))
            completed += 1
            target = "explicit-le" if target == "jpeg-ls" else "jpeg-ls"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        one = chance.choice(files)
        if _samples(one) != samples:
            raise FailedError(f"{one.name} is not as it was")
    run(_in_place(folder, "rle"))
    wrong = [path.name for path in files if _samples(path) != samples]
    left = [path.name for path in (folder / "files").rglob("*dicodec-part*")]
    if wrong or left:
        raise FailedError(f"not as they were: {wrong}, left behind: {left}")
    return {"runs": done, "completed before the kill": completed, "files": len(files)}


def disk(folder: Path, _: int | None) -> dict[str, object]:
    """Convert in place where there is no room, then where nothing may be written."""
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", small], check=True)
    try:
        (source,) = _copies(folder / "one", 1)
        run([*CONVERT, source, "--to", "jpeg-ls", "-o", small / "0.dcm"])
        for number in range(1, 40):
            try:
                shutil.copy(small / "0.dcm", small / f"{number}.dcm")
            except OSError:
                (small / f"{number}.dcm").unlink()
                break
        before = {path.name: path.read_bytes() for path in small.glob("*.dcm")}
        ledger = folder / "disk.sqlite"
        full = _failing(["convert", small, "--in-place", "--to", "explicit-le", "--ledger", ledger])
        after = {path.name: path.read_bytes() for path in small.glob("*.dcm")}
        converted = [name for name in before if after.get(name) != before[name]]
        if set(after) != set(before) or any(
            _samples(small / name) != _samples(source) for name in converted
        ):
            raise FailedError("a full disk cost an original")
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        locked = _failing(["convert", small, "--in-place", "--to", "rle", "--ledger", ledger])
        if {path.name: path.read_bytes() for path in small.glob("*.dcm")} != after:
            raise FailedError("a read-only file changed")
    finally:
        subprocess.run(["umount", small], check=True)
    return {"files": len(before), "no room": full, "read-only": locked}


def neighbors(folder: Path, count: int | None) -> dict[str, object]:
    """Convert good files beside one that hangs and one that cannot be read; crash a process."""
    files = _copies(folder / "files", count or 1000)
    os.mkfifo(folder / "files" / "hangs.dcm")  # reading it never ends
    (folder / "files" / "unreadable.dcm").symlink_to("/proc/self/mem")
    names = [*(str(path) for path in sorted(folder.glob("files/*.dcm")))]
    command = ["convert", *names, "--to", "jpeg-ls", "-o", str(folder / "out"), "--jobs", "2", "-q"]
    process = subprocess.Popen(
        [*DICODEC, *command, "--timeout", str(GIVEN_UP), "--report", folder / "report"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while len(list((folder / "out").glob("*.dcm"))) < len(files) // 4:
        time.sleep(0.05)
    crashed = _children(process.pid)[0]
    os.kill(crashed, signal.SIGSEGV)  # as a codec would end; what it was at is tried once more
    _, errors = process.communicate()
    made = len(list((folder / "out").glob("*.dcm")))
    if made != len(files) or process.returncode != 1:
        raise FailedError(f"{made} of {len(files)} were converted: {errors[-500:]}")
    return {"converted": made, "explained": errors.strip().splitlines()}


def many(folder: Path, count: int | None) -> dict[str, object]:
    """Convert many small files; the memory of the parent at a tenth of them and at the end."""
    one = _small(folder)
    (folder / "files").mkdir()
    number = count or 100_000
    for index in range(number):
        place = folder / "files" / f"{index // 1000:04}"
        if not place.exists():
            place.mkdir()
            shutil.copy(one, place / "000.dcm")
        else:  # file systems bound the links to a file, so each folder has its own
            os.link(place / "000.dcm", place / f"{index % 1000:03}.dcm")
    started = time.perf_counter()
    given = [str(folder / "files"), "--to", "implicit-le", "-o", str(folder / "out"), "-q"]
    process = subprocess.Popen([*DICODEC, "convert", *given])
    peaks: list[float] = []
    while process.poll() is None:
        time.sleep(0.5)
        peaks.append(_resident(process.pid))
    seconds = time.perf_counter() - started
    if process.returncode:
        raise FailedError(f"exit status {process.returncode}")
    made = sum(1 for _ in (folder / "out").rglob("*.dcm"))
    if made != number:
        raise FailedError(f"{made} of {number} were converted")
    return {
        "files": number,
        "files a second": round(number / seconds, 1),
        "MB at a tenth": round(max(peaks[: len(peaks) // 10 + 1]), 1),
        "MB at most": round(max(peaks), 1),
    }


TRIALS: dict[str, Callable[[Path, int | None], dict[str, object]]] = {
    trial.__name__: trial for trial in (kills, disk, neighbors, many)
}


def _in_place(folder: Path, target: str) -> list[str | Path]:
    ledger = folder / f"{target}.sqlite"
    ledger.unlink(missing_ok=True)
    return [
        *DICODEC, "convert", folder / "files", "--in-place", "--to", target, "-q",
        "--ledger", ledger,
    ]  # fmt: skip


def _copies(folder: Path, count: int) -> list[Path]:
    first = folder / "0000.dcm"
    run([*MAKE, "ct", folder])
    files = [first, *(folder / f"{number:04}.dcm" for number in range(1, count))]
    for path in files[1:]:
        shutil.copy(first, path)
    return files


def _small(folder: Path) -> Path:
    """Return a real file of some kilobytes, which pydicom ships."""
    import pydicom.data

    found = pydicom.data.get_testdata_file("MR_small.dcm")
    return Path(shutil.copy(str(found), folder / "one.dcm"))


def _samples(path: Path) -> bytes:
    """Return the samples of a file, as they are native."""
    made = subprocess.run(
        [*DICODEC, "convert", path, "--to", "explicit-le", "-o", "-", "-q"],
        capture_output=True,
        check=True,
    ).stdout
    return made[-512 * 512 * 2 :]


def _failing(command: Sequence[str | Path]) -> list[str]:
    """Run the command, which has to fail with reasons; return the kinds of them."""
    done = subprocess.run([*DICODEC, *command, "-q"], capture_output=True, text=True, check=False)
    if done.returncode != 1:
        raise FailedError(f"exit status {done.returncode}: {done.stderr[-500:]}")
    return sorted({line.rpartition("[")[2].rstrip("]") for line in done.stderr.splitlines()})


def _children(parent: int) -> list[int]:
    """Return the processes that another one started."""
    return [
        int(found.parent.name)
        for found in Path("/proc").glob("[0-9]*/stat")
        if int(found.read_text().rpartition(")")[2].split()[1]) == parent
    ]


def _resident(process: int) -> float:
    """Return megabytes of resident memory; 0 where the process is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
