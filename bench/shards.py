"""Shows that shards, some killed and resumed, are one run: the same results, the same ledger.

A folder of small files, some of which cannot be converted, is converted by one run; and in shards,
two at a time, of which some are killed with SIGKILL and resumed. The ledger that `dicodec jobs
merge` makes of theirs has to have the rows of that of the one run, and the results have to be the
same.

    nice python bench/shards.py --files 100000 --folder /var/tmp
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from helpers.made import make_file

_DIFFERENT = 50
"""Different files; the others are links to them, of which file systems bound the number."""
_BAD_EVERY = 997
_COMMAND = [sys.executable, "-m", "dicodec.cli.main"]


@dataclass
class Findings:
    """What was found; `wrong` is empty where all is well.

    Attributes:
        killed: the shards that were killed, with the files that they had done by then.
        one_run, all_shards: seconds.
    """

    files: int
    shards: int
    killed: dict[int, int] = field(default_factory=dict)
    failed: int = 0
    one_run: float = 0.0
    all_shards: float = 0.0
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    """Run the command; return 0, or 1 where shards are not one run."""
    given = _arguments()
    found = Findings(given.files, given.shards)
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as name:
        folder = Path(name)
        _make_files(folder / "in", given.files)
        started = time.monotonic()
        _convert(folder, "whole", "--jobs", "2")
        found.one_run = round(time.monotonic() - started, 1)

        chance = random.Random(given.seed)
        killed = set(chance.sample(range(1, given.shards + 1), given.kills))
        share = given.files // given.shards
        started = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            running = []
            for number in range(1, given.shards + 1):
                at = chance.randrange(share // 10, share // 2) if number in killed else None
                running.append(pool.submit(_convert_shard, folder, number, at, found))
            for one in running:
                one.result()
        found.all_shards = round(time.monotonic() - started, 1)
        if missing := killed - found.killed.keys():
            found.wrong.append(f"not killed, because they had ended: {sorted(missing)}")
        _compare(folder, found)
    print(json.dumps(asdict(found), indent=4))
    return 1 if found.wrong else 0


def _make_files(folder: Path, count: int) -> None:
    contents = []
    for number in range(_DIFFERENT):
        data = make_file(rows=48, columns=48, bits_stored=12)[0]
        contents.append(data[:-400] + number.to_bytes(2, "little") * 200)
    for number in range(count):
        path = folder / f"{number // 1000:04}" / f"{number:07}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % _BAD_EVERY == 0:
            path.write_bytes(contents[0][:500])
        elif (first := folder / f"{number % _DIFFERENT}.dcm").exists():
            path.hardlink_to(first)
        else:
            first.write_bytes(contents[number % _DIFFERENT])
            path.hardlink_to(first)


def _convert(folder: Path, out: str, *options: str) -> None:
    done = subprocess.run(_command(out, *options), cwd=folder, check=False)
    if done.returncode not in {0, 1}:  # 1: some files cannot be converted
        raise RuntimeError(f"a run ended with {done.returncode}")


def _command(out: str, *options: str) -> list[str]:
    return [*_COMMAND, "convert", "in", "-o", out, "--to", "rle", "-q", *options]


def _convert_shard(folder: Path, number: int, kill_at: int | None, found: Findings) -> None:
    """Convert a shard; kill it when it has done so many files, and resume it."""
    options = ["--jobs", "1", "--shard", f"{number}/{found.shards}"]
    if kill_at is not None:
        ledger = folder / "out" / f".dicodec-ledger.{number}-of-{found.shards}.sqlite"
        process = subprocess.Popen(_command("out", *options), cwd=folder, start_new_session=True)
        while process.poll() is None and _count_done(ledger) < kill_at:
            time.sleep(0.2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            found.killed[number] = _count_done(ledger)
        process.wait()
        options.append("--resume")
    _convert(folder, "out", *options)


def _count_done(ledger: Path) -> int:
    try:
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=30) as connection:
            rows = connection.execute("SELECT count(*) FROM file WHERE state = 'done'").fetchall()
    except sqlite3.OperationalError:
        return 0  # it is being made
    return int(rows[0][0])


def _compare(folder: Path, found: Findings) -> None:
    subprocess.run([*_COMMAND, "jobs", "merge", "out"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    whole, merged = (_read_rows(folder / name) for name in ("whole", "out"))
    found.failed = sum(row["state"] != "done" for row in whole.values())
    if len(whole) != found.files + _DIFFERENT:
        found.wrong.append(f"the one run has {len(whole)} files")
    found.wrong += [
        f"{source}: {whole.get(source)} in one run, {merged.get(source)} in shards"
        for source in sorted(whole.keys() | merged.keys())
        if whole.get(source) != merged.get(source)
    ]
    results = {path.relative_to(folder / "whole") for path in (folder / "whole").rglob("*.dcm")}
    others = {path.relative_to(folder / "out") for path in (folder / "out").rglob("*.dcm")}
    found.wrong += [f"in one place only: {path}" for path in sorted(results ^ others)]
    found.wrong += [
        f"differs: {path}"
        for path in sorted(results & others)
        if _digest(folder / "whole" / path) != _digest(folder / "out" / path)
    ]
    del found.wrong[100:]


def _read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a ledger says of each source; of targets, where they are in the folder."""
    with Ledger(str(folder / LEDGER_NAME), writing=False) as ledger:
        return {
            entry.source: {
                "target": (entry.target or "").removeprefix(str(folder)),
                "state": str(entry.state),
                "error": entry.error_code,
                "action": entry.action,
                "sizes": (entry.source_size, entry.target_size),
            }
            for entry, _ in ledger.read_entries()
        }


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Shards, killed and resumed, are one run.")
    parser.add_argument("--folder", type=Path, help="where files are made")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of which shards are killed when")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
