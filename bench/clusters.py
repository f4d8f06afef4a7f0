"""A batch on Ray whose processes, a machine and the driver are killed, beside the local pool.

    python bench/clusters.py --count 2000 --kills 10

The cluster is in a network namespace of its own, on this machine: a head and two machines of one
core. The batch runs on the local pool, then on Ray undisturbed, then while processes at random, one
machine and the driver are killed; --resume goes on. Every result has to be there, with the same
bytes, and none may have failed. Processor time is that of all processes; on a machine that others
use, it alone can be compared.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from helpers.engines import find_python
from helpers.ray_cluster import RayCluster

_TICKS = os.sysconf("SC_CLK_TCK")
_HERE = [sys.executable, "-m", "dicodec.cli.main"]


def main() -> int:
    """Run the trial, and print a line for each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--source", type=Path, help="file to copy (default: CT_small.dcm)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="clusters"))
    try:
        make_sources(folder / "in", arguments.source or _find_ct(), arguments.count)
        local = run_locally(folder, arguments.count)
        with RayCluster(str(find_python()), [1, 1]) as cluster:
            run_on_ray(cluster, folder, arguments.count, local)
            mortal = cluster.add_machine()
            run_killed(cluster, folder, arguments.count, arguments.kills, mortal, local)
    finally:
        shutil.rmtree(folder)
    return 0


def make_sources(folder: Path, source: Path, count: int) -> None:
    """Make many copies of a file."""
    folder.mkdir()
    content = source.read_bytes()
    for number in range(count):
        (folder / f"{number:06}.dcm").write_bytes(content)


def run_locally(folder: Path, count: int) -> dict[str, str]:
    """Convert in the local pool, and return the digests of the results."""
    before = os.times()
    started = time.monotonic()
    subprocess.run([*_HERE, *_command(folder, "local"), "--jobs", "2"], check=True)
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    _tell("local pool", count, spent, time.monotonic() - started)
    return digest(folder / "local")


def run_on_ray(cluster: RayCluster, folder: Path, count: int, expected: dict[str, str]) -> None:
    """Convert on Ray with nothing killed; the second run has its workers started already."""
    for name in ("first on Ray", "on Ray"):
        shutil.rmtree(folder / "ray", ignore_errors=True)
        started, before = time.monotonic(), measure(cluster)
        driver = cluster.start(*_command(folder, "ray"), "--executor", "ray")
        spent = 0.0
        while driver.poll() is None:
            spent = max(spent, measure(cluster))
            time.sleep(0.2)
        print(driver.communicate()[1], file=sys.stderr)
        _tell(name, count, spent - before, time.monotonic() - started)
        check(folder / "ray", expected)


def run_killed(
    cluster: RayCluster, folder: Path, count: int, kills: int, mortal: str, expected: dict[str, str]
) -> None:
    """Convert on Ray while processes, a machine and the driver are killed."""
    output = folder / "killed"
    chance = random.Random(1)
    events = ["process"] * kills
    events.insert(kills // 3, "machine")
    events.insert(2 * kills // 3, "driver")
    started, runs = time.monotonic(), 1
    command = (*_command(folder, "killed"), "--executor", "ray")
    driver = cluster.start(*command)
    for number, event in enumerate(events):
        goal = count * (number + 1) // (len(events) + 2)
        while _count(output) < goal and driver.poll() is None:
            time.sleep(0.02)
        if driver.poll() is not None:
            raise SystemExit(f"the driver ended early: {driver.communicate()[1]}")
        print(f"  {_count(output)} of {count} there: a {event} is killed", flush=True)
        if event == "process":
            cluster.kill_worker(chance.choice)
        elif event == "machine":
            cluster.kill_machine(mortal)
        else:
            driver.kill()
            driver.communicate()
            runs += 1
            driver = cluster.start(*command, "--resume")
    errors = driver.communicate()[1]
    print(errors, file=sys.stderr)
    seconds = time.monotonic() - started
    check(output, expected)
    with Ledger(str(output / LEDGER_NAME), writing=False) as ledger:
        rows = [entry for entry, _ in ledger.read_entries()]
    states = Counter(f"{row.state} {row.error_code or ''}".strip() for row in rows)
    attempts = Counter(row.attempts for row in rows)
    print(
        f"killed: {dict(states)} of {count} in {runs} runs and {seconds:.0f} s; "
        f"{attempts[2]} at the second attempt; status {driver.returncode}",
        flush=True,
    )


def check(output: Path, expected: dict[str, str]) -> None:
    """Hold results against those of the local pool; nothing else may be there."""
    found = digest(output)
    if found != expected:
        wrong = {name for name in found | expected if found.get(name) != expected.get(name)}
        raise SystemExit(f"{output.name}: {len(wrong)} differ, such as {sorted(wrong)[:3]}")


def digest(folder: Path) -> dict[str, str]:
    """Return the digests of all files but the ledger's."""
    return {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if not path.name.startswith(LEDGER_NAME)
    }


def measure(cluster: RayCluster) -> float:
    """Return the seconds of processor time of the cluster, its driver, and all that ended."""
    ticks = 0
    for process in cluster.processes():
        try:
            text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        ticks += sum(int(field) for field in text.rpartition(")")[2].split()[11:15])
    return ticks / _TICKS


def _command(folder: Path, name: str) -> tuple[str, ...]:
    place = str(folder)
    return ("convert", f"{place}/in", "--to", "htj2k-lossless", "-o", f"{place}/{name}", "--quiet")


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.dcm")) if folder.exists() else 0


def _find_ct() -> Path:
    import pydicom.data

    return Path(str(pydicom.data.get_testdata_file("CT_small.dcm")))


def _tell(name: str, count: int, spent: float, seconds: float) -> None:
    print(
        f"{name}: {1000 * spent / count:.1f} ms of processor time a file, {seconds:.1f} s in all",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
