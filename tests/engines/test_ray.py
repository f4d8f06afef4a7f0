"""A batch on a real Ray cluster: as on one machine, whatever is killed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from dicodec import convert_bytes
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from helpers.engines import engine
from helpers.made import IMAGE_KINDS
from helpers.patience import give_up_at
from helpers.ray_cluster import CLIENTS, RayCluster
from helpers.real_files import real_files

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
MANY = 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with RayCluster(engine("ray"), [1, 1]) as started:
        yield started


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of many files."""
    (tmp_path / "in").mkdir()
    for number in range(MANY):
        (tmp_path / "in" / f"{number:04}.dcm").write_bytes(CONTENT)
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the ledger's."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(LEDGER_NAME)
    }


def entries(folder: Path) -> list[dict[str, Any]]:
    with Ledger(str(folder / LEDGER_NAME), writing=False) as ledger:
        return [
            {"source": entry.source, "state": str(entry.state), "code": entry.error_code,
             "attempts": entry.attempts, "sizes": (entry.source_size, entry.target_size)}
            for entry, _ in ledger.read_entries()
        ]  # fmt: skip


def wait_for_results(driver: Popen[str], folder: Path, count: int) -> None:
    until = give_up_at(60)
    while not folder.exists() or len([*folder.glob("*.dcm")]) < count:
        assert time.monotonic() < until, "no results"
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.02)


def check_all_done(source: Path, output: Path) -> None:
    result = convert_bytes(CONTENT, to="rle")
    assert contents(output) == {path.name: result for path in sorted(source.iterdir())}
    assert {(row["state"], row["code"]) for row in entries(output)} == {("done", None)}


@pytest.mark.parametrize("executor", ["ray", CLIENTS])
def test_a_batch_is_as_on_one_machine(cluster: RayCluster, tmp_path: Path, executor: str) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, (name, content) in enumerate(
        [(path.name, path.read_bytes()) for path in [*real_files().values()][:8]]
        + [("note.txt", b"Dear doctor"), ("bad.dcm", CONTENT[:400]), ("empty.dcm", b"")]
    ):
        (tmp_path / "in" / ("deep" if number % 2 else "") / name).write_bytes(content)
    command = ["convert", "in", "--to", "rle,explicit-le", "--json", "--verify", "--digests"]

    outcomes = []
    for where in ([], ["--executor", executor]):
        done = cluster.dicodec(*command, "-o", "out", *where, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines:
            line.pop("seconds", None)
            line.get("summary", {}).pop("seconds", None)
        # Ray's own code says that the namespace has no other networks.
        errors = [text for text in done.stderr.splitlines() if "network_util" not in text]
        outcomes.append((lines, contents(tmp_path / "out"), entries(tmp_path / "out"), errors))
        (tmp_path / "out").rename(tmp_path / f"out of {len(outcomes)}")
    assert len(outcomes[0][1]) > 5
    assert outcomes[0] == outcomes[1]


def test_killed_processes_cost_no_file(cluster: RayCluster, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    driver = cluster.start("convert", source, "--to", "rle", "-o", output, "--executor", "ray")
    for count in (20, 120, 220):
        wait_for_results(driver, output, count)
        cluster.kill_worker()
    _, errors = driver.communicate(timeout=300)

    assert driver.returncode == 0, errors
    assert f"{MANY} converted, 0 already right, 0 skipped, 0 failed" in errors
    check_all_done(source, output)
    assert {row["attempts"] for row in entries(output)} == {1, 2}


def test_interrupted_it_goes_on_with_resume(
    cluster: RayCluster, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    command = ("convert", source, "--to", "rle", "-o", output, "--executor", CLIENTS)
    driver = cluster.start(*command)
    wait_for_results(driver, output, 40)
    driver.send_signal(signal.SIGINT)
    _, errors = driver.communicate(timeout=100)

    assert driver.returncode == 130, errors
    assert "interrupted; the same command with --resume goes on" in errors
    assert 40 <= len(contents(output)) < MANY
    done = cluster.dicodec(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert "done by an earlier run" in done.stderr
    check_all_done(source, output)


def test_a_killed_driver_is_followed_by_another(
    cluster: RayCluster, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    command = ("convert", source, "--to", "rle", "-o", output, "--executor", "ray")
    driver = cluster.start(*command)
    wait_for_results(driver, output, 40)
    driver.kill()
    driver.communicate()

    done = cluster.dicodec(*command, "--resume")
    assert done.returncode == 0, done.stderr
    assert "done by an earlier run" in done.stderr
    check_all_done(source, output)


def test_a_machine_without_the_share_is_told_of_in_one_line(
    cluster: RayCluster, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    address = cluster.add_machine(1, without=output)
    done = cluster.dicodec("convert", source, "--to", "rle", "-o", output, "--executor", "ray")
    cluster.kill_machine(address)

    assert done.returncode == 1
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("dicodec: ")]
    assert f"{output}: the machine" in line
    assert "does not see the same there" in line
    assert line.endswith("[target-unavailable]")
    assert contents(output) == {}


def test_a_machine_that_dies_costs_no_file(
    cluster: RayCluster, source: Path, tmp_path: Path
) -> None:
    address = cluster.add_machine()
    output = tmp_path / "out"
    driver = cluster.start("convert", source, "--to", "rle", "-o", output, "--executor", "ray")
    wait_for_results(driver, output, 60)
    cluster.kill_machine(address)
    _, errors = driver.communicate(timeout=300)

    assert driver.returncode == 0, errors
    check_all_done(source, output)
