"""`dicodec watch`: complete files only, sorted when done, whatever happens to the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicodec import convert_bytes
from dicodec.batch.sources import folders
from dicodec.cli.main import run
from dicodec.errors import SourceUnavailableError
from dicodec.service.jobs import watching as watching_of_jobs
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.submission import SubmitOptions
from dicodec.service.jobs.watching import Watcher, WatchOptions
from helpers.made import make_file
from helpers.patience import wait_for

FILE = make_file(48, 64)[0]
RLE = convert_bytes(FILE, to="rle")


def command(folder: Path, *more: str) -> list[str]:
    watch = [sys.executable, "-m", "dicodec.cli.main", "watch", str(folder / "in")]
    quick = ["--interval", "0.1", "--settle", "0.3", "--jobs", "2", "--lease", "0.5"]
    return [*watch, "-o", str(folder / "out"), "--to", "rle", *quick, *more]


@contextmanager
def watching(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command(folder, *more), stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def once(folder: Path, *more: str) -> int:
    done = subprocess.run(
        command(folder, "--once", *more), capture_output=True, text=True, timeout=120
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["event"] == "ended", done.stderr
    return done.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    return tmp_path


def test_files_are_converted_and_sorted(folder: Path) -> None:
    (folder / "in" / "a.dcm").write_bytes(FILE)
    (folder / "in" / "deep" / "b").write_bytes(FILE)
    (folder / "in" / "letter.txt").write_text("hello")
    (folder / "in" / "c.dcm.part").write_bytes(FILE)
    (folder / "in" / ".d.dcm").write_bytes(FILE)
    sorted_ = ("--done", str(folder / "in" / "done"), "--failed", str(folder / "failed"))
    assert once(folder, *sorted_) == 1
    assert (folder / "out" / "a.dcm").read_bytes() == RLE
    assert (folder / "out" / "deep" / "b").read_bytes() == RLE
    assert (folder / "in" / "done" / "a.dcm").read_bytes() == FILE
    assert (folder / "in" / "done" / "deep" / "b").read_bytes() == FILE
    assert (folder / "failed" / "letter.txt").read_text() == "hello"
    why = json.loads((folder / "failed" / "letter.txt.error.json").read_text())
    assert why["error"]["code"] == "not-dicom"
    left = {path.name for path in (folder / "in").iterdir()}
    assert left == {"c.dcm.part", ".d.dcm", "deep", "done"}
    assert once(folder, *sorted_) == 0, "what is done is not done again"


def test_what_stays_is_converted_once(folder: Path) -> None:
    (folder / "in" / "a.dcm").write_bytes(FILE)
    assert once(folder) == 0
    before = (folder / "out" / "a.dcm").stat().st_mtime_ns
    assert once(folder) == 0
    assert (folder / "out" / "a.dcm").stat().st_mtime_ns == before
    other = make_file(8, 8, seed=2)[0]
    (folder / "in" / "a.dcm").write_bytes(other)
    assert once(folder, "--option", "overwrite=true") == 0
    assert (folder / "out" / "a.dcm").read_bytes() == convert_bytes(other, to="rle")


def test_killed_and_resumed(folder: Path) -> None:
    count = 60
    for number in range(count):
        (folder / "in" / f"{number}.dcm").write_bytes(FILE)
    sorted_ = ("--done", str(folder / "done"))
    out = folder / "out"
    with watching(folder, *sorted_) as process:
        wait_for(lambda: out.exists() and len([*out.glob("*.dcm")]) > 5)
        process.kill()
    assert once(folder, *sorted_) == 0
    results = [path for path in out.iterdir() if not path.name.startswith(".dicodec-watch")]
    assert len(results) == count
    assert {path.read_bytes() for path in results} == {RLE}
    assert len([*(folder / "done").iterdir()]) == count
    assert [path.name for path in (folder / "in").iterdir()] == ["deep"]


def test_files_that_appear_are_taken_and_a_signal_ends_it(folder: Path) -> None:
    with watching(folder, "--show-paths") as process:
        wait_for(lambda: b"watching" in (folder / "log").read_bytes())
        (folder / "in" / "new.dcm").write_bytes(FILE)
        wait_for(lambda: (folder / "out" / "new.dcm").exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["watching", "done", "ended"]
    assert lines[1]["file"] == str(folder / "in" / "new.dcm")


def watcher(folder: Path, store: JobStore, settle: float = 0.0) -> Watcher:
    rules = WatchOptions(folder=str(folder / "in"), output=str(folder / "out"), settle=settle)
    wish = SubmitOptions(
        output=str(folder / "out"), template=Request(id="", source="", to=("rle",))
    )
    return Watcher(rules, wish, store, Log(None), lambda: None)


def test_a_file_is_taken_when_it_rests(folder: Path) -> None:
    with JobStore(folder / "queue") as store:
        one = watcher(folder, store)
        path = folder / "in" / "a.dcm"
        path.write_bytes(FILE[:100])
        assert one.scan() == 0, "it may still grow"
        path.write_bytes(FILE)
        assert one.scan() == 0, "it has"
        assert one.scan() == 1
        assert one.scan() == 0, "it was taken"
        os.utime(path, (1, 1))
        assert [one.scan(), one.scan()] == [0, 1], "it is another one now"


def test_a_file_that_is_open_for_writing_is_left(folder: Path) -> None:
    with JobStore(folder / "queue") as store:
        one = watcher(folder, store)
        with (folder / "in" / "a.dcm").open("wb") as file:
            file.write(FILE)
            file.flush()
            assert [one.scan(), one.scan(), one.scan()] == [0, 0, 0]
        assert one.scan() == 1


def test_a_file_that_goes_away_is_forgotten(folder: Path) -> None:
    with JobStore(folder / "queue") as store:
        one = watcher(folder, store)
        (folder / "in" / "a.dcm").write_bytes(FILE)
        assert one.scan() == 0
        (folder / "in" / "a.dcm").unlink()
        assert [one.scan(), one.scan()] == [0, 0]
        stopping = threading.Event()
        stopping.set()
        one.watch(stopping, once=False)


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        (("--to", "nothing"), 2, "nothing"),
        (("--policy", "nothing"), 2, "no policy"),
        (("--option", "quality"), 2, "NAME=VALUE"),
        (("-o", "{in}"), 2, "cannot go to the folder"),
    ],
)
def test_wrong_usage(folder: Path, more: tuple[str, ...], status: int, words: str) -> None:
    given = [one.replace("{in}", str(folder / "in")) for one in more]
    done = subprocess.run(command(folder, *given), capture_output=True, text=True, timeout=60)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert not (folder / "out").exists()


def test_a_folder_that_cannot_be_listed_is_a_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in" / "a.dcm").write_bytes(FILE)
    real = folders.walk

    def walk(*given: Any) -> Iterator[Any]:
        yield from real(*given)
        yield SourceUnavailableError("cannot be listed: Permission denied", path="deep")

    monkeypatch.setattr(watching_of_jobs, "walk", walk)
    assert run([*command(folder, "--once")[3:]]) == 1
    assert "cannot be listed" in capsys.readouterr().err
    assert (folder / "out" / "a.dcm").exists(), "the others are converted"
