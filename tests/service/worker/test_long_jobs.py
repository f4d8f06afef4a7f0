"""Jobs that take long: signs of life keep them, and a worker that is asked to end loses none."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from helpers.brokers import running_broker
from helpers.made import make_file
from helpers.plain_clients import produce
from helpers.worker_fleet import Fleet

OPTIONS = ["--jobs", "1", "--retry-after", "0.2", "--lease", "1", "--silence", "1"]
DONE = "SELECT count(*) FROM job WHERE state = 'done'"


@pytest.fixture(scope="module")
def long_file() -> bytes:
    """Many frames: each costs a moment, however small."""
    return make_file(rows=24, columns=24, frames=9000)[0]


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def body(source: Path, out: Path) -> bytes:
    fields = {"id": source.stem, "source": str(source), "target_folder": str(out)}
    return json.dumps({**fields, "to": "jpegxl-lossless"}).encode()


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_a_job_longer_than_the_silence_is_left_to_its_worker(
    kind: str, long_file: bytes, tmp_path: Path
) -> None:
    source = put(tmp_path / "files" / "long.dcm", long_file)
    with (
        running_broker(kind, tmp_path / "broker") as broker,
        Fleet(broker.url, tmp_path, OPTIONS) as fleet,
    ):
        fleet.prepare()
        fleet.start(2)
        produce(kind, broker.url, [body(source, tmp_path / "files" / "out")])
        fleet.wait_for(lambda: fleet.query(DONE) == [(1,)], 120)
        ((seconds, attempts),) = fleet.query("SELECT finished - started, attempts FROM job")
        assert fleet.stop() == [0, 0]
        log = fleet.log.read_text()

    assert seconds > 1.5, "the job is too short to show anything"
    assert attempts == 1
    assert "known already" not in log  # nobody else was given it


@pytest.mark.parametrize("signals", [1, 2])
def test_a_worker_that_is_asked_to_end_loses_nothing(
    signals: int, long_file: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "files" / "out"
    sources = [put(tmp_path / "files" / f"f{one}.dcm", long_file) for one in range(3)]
    with (
        running_broker("redis", tmp_path / "broker") as broker,
        Fleet(broker.url, tmp_path, OPTIONS) as fleet,
    ):
        fleet.prepare()
        produce("redis", broker.url, [body(source, out) for source in sources])
        fleet.start()
        fleet.wait_for(lambda: out.exists() and any(out.iterdir()), 60)  # one is being written
        for _ in range(signals):
            fleet.workers[0].send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert fleet.workers.pop().wait(60) == 0
        done = fleet.query(DONE)[0][0]
        assert {path.suffix for path in out.iterdir()} <= {".dcm"}  # no part of a file is left
        assert len([*out.iterdir()]) == done
        assert done < len(sources), "nothing was left to be lost"
        assert done >= 1 or signals == 2

        fleet.start()
        fleet.wait_for(lambda: fleet.query(DONE) == [(3,)], 60)
        assert fleet.query("SELECT max(attempts) FROM job") == [(1,)]  # what was given back is none
        assert set(fleet.successes().values()) == {1}
        assert fleet.stop() == [0]
