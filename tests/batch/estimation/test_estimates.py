"""Estimates of a dry run beside the sizes of the conversion itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec.batch.estimation.sampling import SizeSampling
from dicodec.batch.ledger.tables import FileOutcome, State
from dicodec.batch.pool.pool import ItemGroup, ItemOutcome
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import WorkOptions
from dicodec.cli.main import run
from dicodec.conversion.convert import convert_with
from dicodec.options import ConversionOptions
from dicodec.report import SizeEstimate
from helpers.made import IMAGE_KINDS
from helpers.real_files import shipped_file

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "rtplan.dcm", "SC_rgb_rle_2frame.dcm")
TARGETS = ("rle", "jpeg2000-lossless", "explicit-le", "deflated", "jpegxl-lossless")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "in"
    found.mkdir()
    for name in NAMES:
        (found / name).write_bytes(Path(shipped_file(name)).read_bytes())
    return found


def summary(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["convert", *arguments, "--json"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(last)["summary"]
    return found


@pytest.mark.parametrize("to", TARGETS)
def test_a_folder_that_is_coded_as_a_whole_is_estimated_exactly(
    folder: Path, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = summary(capsys, str(folder), "--to", to, "--dry-run")
    real = summary(capsys, str(folder), "--to", to, "-o", str(tmp_path / "out"))
    estimate = planned["estimate"]
    assert estimate["bytes_after"] == real["bytes_after"] == estimate["low"] == estimate["high"]
    assert estimate["bytes_before"] == real["bytes_before"]
    assert (estimate["files"], estimate["failed"], estimate["guessed_files"]) == (len(NAMES), 0, 0)
    assert real["estimate"] is None


@pytest.mark.parametrize("to", TARGETS)
def test_a_single_file_is_told_its_size(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(CT), "--to", to, "--dry-run"]) == 0
    printed = capsys.readouterr().err
    report = convert_with(str(CT), tmp_path / "out.dcm", ConversionOptions.of(to))
    assert f"{CT.stat().st_size} -> {report.target_size} bytes (dry run" in printed
    assert run(["convert", str(CT), "--to", to, "--dry-run", "--estimate", "0"]) == 0
    assert "bytes" not in capsys.readouterr().err


def make_cine(frames: int) -> bytes:
    """Return an image whose frames have more and less noise, so that they differ in size."""
    random = np.random.default_rng(7)
    noise = random.integers(2, 60, frames)
    samples = np.stack([random.integers(0, most, (32, 32), dtype=np.uint16) for most in noise])
    content, _ = IMAGE_KINDS["gray-16"].make(rows=32, columns=32, frames=frames)
    return content[: -samples.nbytes] + samples.tobytes()


@pytest.mark.parametrize("to", ["jpeg2000-lossless", "implicit-le", "jpeg-ls", "rle"])
def test_of_many_frames_some_are_coded(to: str, tmp_path: Path) -> None:
    source = tmp_path / "cine.dcm"
    source.write_bytes(make_cine(40))
    options = ConversionOptions.of(to)
    estimate = convert_with(str(source), None, options, coded_frames=6).estimate
    assert estimate is not None
    assert estimate.frames == (0 if to == "implicit-le" else 6)
    real = convert_with(str(source), tmp_path / "out.dcm", options).target_size
    assert abs(estimate.size - real) <= 3 * estimate.deviation
    assert (estimate.deviation > 0) == (to != "implicit-le")


def test_an_estimate_writes_nothing(folder: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    out = tmp_path / "out"
    assert run(["convert", str(folder), "--to", "rle", "-o", str(out), "--dry-run", "-q"]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_it_belongs_to_a_dry_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["convert", str(folder), "--to", "rle", "-o", "out", "--estimate", "5"]
    assert run(arguments) == 2
    assert "--dry-run" in capsys.readouterr().err


class Pool:
    """Codes a source in ten seconds of a clock that nobody waits for."""

    room = 1

    def __init__(self) -> None:
        self.now = 0.0
        self.coded: list[str] = []

    def submit(self, group: ItemGroup) -> None:
        self._group, self.room = group, 0

    def wait(self, _: float) -> list[ItemOutcome]:
        self.now += 10
        self.room = 1
        (item,) = self._group.items
        self.coded.append(item.reference.path)
        estimate = SizeEstimate(item.reference.size // 2, 0.0, 1)
        return [ItemOutcome(self._group.keys[0], estimate, None, 1)]

    def discard(self) -> None:
        self.room = 0


def sample(seconds: float, files: int, pool: Pool, interruptions: int = 0) -> Any:
    sampling = SizeSampling(seconds, lambda: pool.now)
    for number in range(files):
        kind = ("", "rle", "transcoded", "explicit-le", "CT")
        outcome = FileOutcome(
            state=State.DONE, json="", source_size=1000 + number, kind=kind,
            native_size=1000 + number, action="transcoded",
        )  # fmt: skip
        sampling.add(SourceReference(str(number), 1000 + number, 0), outcome)
    work = WorkOptions(options=ConversionOptions.of("rle"), dry_run=True)
    pool_: Any = pool
    return sampling.run(pool_, work, lambda: interruptions, lambda: None)


def test_time_bounds_what_is_coded() -> None:
    estimate = sample(15, 100, pool := Pool())
    assert len(pool.coded) == estimate.coded_files == 2  # the second one began in time
    assert estimate.low < estimate.bytes_after < estimate.high
    assert estimate.bytes_after == pytest.approx(estimate.bytes_before / 2, rel=0.01)
    assert estimate.seconds == 20


def test_an_estimate_that_is_good_enough_ends_early() -> None:
    estimate = sample(1e9, 5000, pool := Pool())
    assert 4 <= len(pool.coded) < 100
    assert len(set(pool.coded)) == len(pool.coded)
    assert estimate.high - estimate.low <= 0.04 * estimate.bytes_after


def test_an_interruption_ends_it() -> None:
    assert sample(1e9, 100, Pool(), interruptions=1) is None
