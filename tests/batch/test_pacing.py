"""The pace of a batch: part of the day, rate, pause, and bytes of all results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dicodec.batch import pacing
from dicodec.batch import run as batch_run
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import LEDGER_NAME, State
from dicodec.batch.pacing import PaceOptions, Pacer, Window, parse_window
from dicodec.cli.convert.batch.progress import format_progress
from dicodec.cli.convert.batch.report import NoProgress
from dicodec.cli.main import run
from dicodec.errors import InvalidOptionError
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
FILES = 12


class Clock:
    def __init__(self, minute: int = 0) -> None:
        self.seconds, self.minute = 0.0, minute

    def read_seconds(self) -> float:
        return self.seconds

    def read_minute(self) -> int:
        return self.minute


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "in"
    found.mkdir()
    for number in range(FILES):
        (found / f"{number:02}.dcm").write_bytes(CONTENT)
    return found


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("22:00-06:00", (1320, 1439, 0, 359), (360, 1319)),
        ("9:30-17:00", (570, 1019), (569, 1020, 0)),
        ("20:00-24:00", (1200, 1439), (0, 1199)),
    ],
)
def test_parts_of_the_day(text: str, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    window = parse_window(text)
    assert all(window.holds(minute) for minute in inside)
    assert not any(window.holds(minute) for minute in outside)


@pytest.mark.parametrize("text", ["", "22-6", "22:00", "25:00-06:00", "1:60-2:00", "3:00-3:00",
                                  "00:00-24:00", "22:00-24:01"])  # fmt: skip
def test_what_is_not_a_part_of_the_day(text: str) -> None:
    with pytest.raises(InvalidOptionError):
        parse_window(text)


def test_no_file_is_started_outside_the_window() -> None:
    pacer = Pacer(PaceOptions(window=Window(1320, 360)), clock := Clock(1319))
    assert pacer.find_hold() == "waiting for 22:00"
    clock.minute = 1320
    assert pacer.find_hold() == ""


def test_no_file_is_started_while_the_pause_file_is_there(tmp_path: Path) -> None:
    pause = tmp_path / "pause"
    pacer = Pacer(PaceOptions(pause_file=str(pause)), Clock())
    assert pacer.find_hold() == ""
    pause.symlink_to("nowhere")
    assert "pause" in pacer.find_hold()
    pause.unlink()
    assert pacer.find_hold() == ""


def test_the_mean_rate_is_kept() -> None:
    pacer = Pacer(PaceOptions(rate=100), clock := Clock())
    begun = 0
    for _ in range(2000):
        if not pacer.find_hold():
            pacer.begin(30)
            begun += 30
        clock.seconds += 0.05
        assert begun <= 100 * (clock.seconds + 0.5) + 30
    assert begun >= 0.98 * 100 * clock.seconds


def test_idle_time_is_not_made_up_for() -> None:
    pacer = Pacer(PaceOptions(rate=100), clock := Clock())
    clock.seconds = 1000.0
    pacer.begin(100)
    assert pacer.find_hold()
    clock.seconds = 1001.0
    assert not pacer.find_hold()


def test_room_for_results_is_kept() -> None:
    pacer = Pacer(PaceOptions(most_bytes=1 << 20), Clock())
    assert pacer.reserve(1, 200_000) == 4 * 200_000 + (64 << 10)
    assert pacer.reserve(2, 200_000) is None
    assert not pacer.release(1, 150_000)
    assert pacer.reserve_all(2) == (1 << 20) - 150_000
    assert pacer.release(2)


def convert(folder: Path, *more: str) -> int:
    out = folder.with_name("out")
    return run(["convert", str(folder), "--to", "rle", "-o", str(out), "--jobs", "2", *more])


def sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.with_name("out").glob("*.dcm")]


def test_results_never_pass_their_bound_and_a_resumed_run_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(folder) == 0
    every = sizes(folder)
    for path in folder.with_name("out").iterdir():
        path.unlink()
    bound, rounds = sum(every) // 3, 0
    before = 0
    while (status := convert(folder, "--max-bytes", str(bound), "--resume", "--json")) == 3:
        last = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
        assert last["stopped"]
        assert not last["interrupted"]
        written = sum(sizes(folder)) - before
        assert bound - every[0] < written <= bound
        before += written
        rounds += 1
    assert status == 0
    assert rounds in {2, 3}
    assert sizes(folder) == every
    with Ledger(str(folder.with_name("out") / LEDGER_NAME), writing=False) as ledger:
        assert {entry.state for entry, _ in ledger.read_entries()} == {State.DONE}


def test_a_result_larger_than_expected_has_all_the_room(tmp_path: Path) -> None:
    """Black frames grow a hundredfold, far beyond the room that is kept free at first."""
    source = tmp_path / "in"
    source.mkdir()
    black = IMAGE_KINDS["gray-16"].make(rows=256, columns=256, frames=8)[0]
    black = black[: -256 * 256 * 16] + bytes(256 * 256 * 16)
    (tmp_path / "black.dcm").write_bytes(black)
    assert run(["convert", str(tmp_path / "black.dcm"), "--to", "deflated", "-o",
                str(source / "a.dcm")]) == 0  # fmt: skip
    for name in "bc":
        (source / f"{name}.dcm").write_bytes((source / "a.dcm").read_bytes())
    out = tmp_path / "out"
    arguments = ["convert", str(source), "--to", "explicit-le", "-o", str(out), "--max-bytes"]
    assert run([*arguments, str(2 * len(black) + 5000)]) == 3
    assert len([*out.glob("*.dcm")]) == 2
    assert not [path for path in out.iterdir() if ".part" in path.name]
    assert run([*arguments, "10M", "--resume"]) == 0
    assert len([*out.glob("*.dcm")]) == 3


def test_a_batch_waits_for_its_window_and_for_the_pause_to_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, told = tmp_path / "pause", []
    pause.touch()
    clock = Clock(600)

    def show(_: NoProgress, summary: Summary) -> None:
        told.append((summary.waiting, summary.files))
        if len(told) == 3:
            pause.unlink()
        if len(told) == 6:
            clock.minute = 1320

    monkeypatch.setattr(NoProgress, "show", show)
    monkeypatch.setattr(pacing, "SystemClock", lambda: clock)
    monkeypatch.setattr(batch_run, "_WAIT_SECONDS", 0)
    assert convert(folder, "--between", "22:00-06:00", "--pause-file", str(pause)) == 0
    assert [text.split()[0] for text, _ in told[:6]] == ["paused"] * 3 + ["waiting"] * 3
    assert {files for _, files in told[:6]} == {0}
    assert len(sizes(folder)) == FILES
    assert "waiting for 22:00" in format_progress(Summary(waiting="waiting for 22:00"), None)


def test_a_waiting_batch_can_be_interrupted_and_resumed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    pause = tmp_path / "pause"
    pause.touch()
    with monkeypatch.context() as patched:
        patched.setattr(NoProgress, "show", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        assert convert(folder, "--pause-file", str(pause)) == 130
    assert not sizes(folder)
    pause.unlink()
    assert convert(folder, "--pause-file", str(pause), "--resume") == 0
    assert len(sizes(folder)) == FILES


@pytest.mark.parametrize(
    "more",
    [
        ["--max-bytes", "1G", "--dry-run"],
        ["--between", "noon"],
        ["--max-bytes", "1G", "-o", "s3://b/"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(folder: Path, more: list[str]) -> None:
    assert convert(folder, *more) == 2
