"""The witnesses themselves: on files that pydicom ships, whose samples are known to be equal."""

from __future__ import annotations

import os
import signal
import zlib
from pathlib import Path

import numpy as np
import pydicom.data
import pytest

from helpers import made, witnesses
from helpers.witnesses import Outcome, available, canonical, read_with, same_samples

SHIPPED = Path(pydicom.data.__file__).with_name("test_files")

# A file, a file with the same samples, and who can read the first
SAME = [
    ("MR_small_bigendian.dcm", "MR_small.dcm", {"pydicom", "gdcm", "dcmtk"}),
    ("MR_small_RLE.dcm", "MR_small.dcm", {"pydicom", "gdcm", "dcmtk"}),
    ("MR_small_jp2klossless.dcm", "MR_small.dcm", {"pydicom", "gdcm"}),
    ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm", {"pydicom", "gdcm", "dcmtk"}),
    ("SC_rgb_gdcm_KY.dcm", "SC_rgb_gdcm_KY.dcm", {"pydicom", "gdcm"}),
    ("rtdose_rle.dcm", "rtdose.dcm", {"pydicom", "gdcm", "dcmtk"}),
    ("liver_1frame.dcm", "liver_1frame.dcm", {"pydicom", "gdcm", "dcmtk"}),
]


@pytest.mark.parametrize(("file", "reference", "readers"), SAME)
def test_witnesses_agree(file: str, reference: str, readers: set[str]) -> None:
    expected = read_with("pydicom", SHIPPED / reference).samples
    for name in readers & set(available()):
        result = read_with(name, SHIPPED / file)
        assert result.outcome is Outcome.READ, result.detail
        assert same_samples(result.samples, expected), name


def test_refusal_is_an_outcome() -> None:
    for name in available():
        result = read_with(name, SHIPPED / "README.txt")
        assert result.outcome is Outcome.REFUSED
        assert result.samples is None


def test_crash_is_an_outcome_and_the_next_file_is_read() -> None:
    crashed = read_with("gdcm", SHIPPED / "rtdose_1frame.dcm")
    assert (crashed.outcome, crashed.detail) == (Outcome.CRASHED, "ended by SIGABRT")
    assert read_with("gdcm", SHIPPED / "MR_small.dcm").outcome is Outcome.READ


def test_a_witness_killed_while_idle_costs_one_answer() -> None:
    read_with("gdcm", SHIPPED / "MR_small.dcm")
    process = witnesses._server("gdcm")._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert read_with("gdcm", SHIPPED / "MR_small.dcm").outcome in {Outcome.CRASHED, Outcome.READ}
    assert read_with("gdcm", SHIPPED / "MR_small.dcm").outcome is Outcome.READ


def test_a_witness_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    witnesses._server("pydicom").close()
    monkeypatch.setattr(witnesses, "TIMEOUT", 0.5)
    fifo = tmp_path / "never-written.dcm"
    os.mkfifo(fifo)
    assert read_with("pydicom", fifo).outcome is Outcome.TIMED_OUT


def test_unknown_witness_is_absent() -> None:
    assert read_with("nobody", SHIPPED / "MR_small.dcm").outcome is Outcome.ABSENT


def test_pydicom_reads_deflated_frames_which_it_does_not_know(tmp_path: Path) -> None:
    kind = made.IMAGE_KINDS["multi-frame"]
    _, samples = kind.make()
    streams = [[zlib.compress(frame.tobytes(), wbits=-15)] for frame in samples]
    path = tmp_path / "deflated-frame.dcm"
    path.write_bytes(kind.make(transfer_syntax="1.2.840.10008.1.2.8.1", streams=streams)[0])
    assert same_samples(read_with("pydicom", path).samples, samples)


def test_canonical_sign_extends() -> None:
    stored = np.array([[[0x0FFF, 0x0800, 0x17FF]]], "<i2")
    facts = {"bits_stored": 12, "bits_allocated": 16}
    assert canonical(stored, facts).tolist() == [[[-1, -2048, 2047]]]
    assert canonical(stored.astype("<u2"), facts).tolist() == [[[4095, 2048, 2047]]]


def test_same_samples_needs_the_same_shape() -> None:
    image = np.zeros((1, 2, 3), np.uint8)
    assert same_samples(image, image.astype(np.int16))
    assert not same_samples(image, image[0])
    assert not same_samples(image, None)
