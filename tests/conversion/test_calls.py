"""The calls for event loops, which go on meanwhile, and for data sets of pydicom."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicodec import convert_async, convert_bytes, convert_dataset
from dicodec.conversion import calls
from dicodec.errors import SourceUnavailableError, TargetExistsError
from dicodec.report import ConversionReport
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]


def test_files_are_converted(tmp_path: Path) -> None:
    report = asyncio.run(convert_async(CONTENT, tmp_path / "out.dcm", to="rle", verify=True))

    assert isinstance(report, ConversionReport)
    assert report.verified
    assert (tmp_path / "out.dcm").read_bytes() == convert_bytes(CONTENT, to="rle")


def test_many_at_once_do_not_mix(tmp_path: Path) -> None:
    async def run() -> None:
        await asyncio.gather(
            *(
                convert_async(CONTENT, tmp_path / f"{number}", to=target)
                for number, target in enumerate(["rle", "jpeg-ls", "explicit-be"] * 5)
            )
        )

    asyncio.run(run())

    for number, target in enumerate(["rle", "jpeg-ls", "explicit-be"] * 5):
        assert (tmp_path / f"{number}").read_bytes() == convert_bytes(CONTENT, to=target)


def test_errors_arrive(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"")
    with pytest.raises(SourceUnavailableError):
        asyncio.run(convert_async(tmp_path / "missing", None, to="rle"))
    with pytest.raises(TargetExistsError):
        asyncio.run(convert_async(CONTENT, tmp_path / "there", to="rle"))


def test_the_loop_is_not_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, release = threading.Event(), threading.Event()
    threads = []

    def slow(*_: Any, **__: Any) -> ConversionReport:
        threads.append(threading.current_thread())
        begun.set()
        assert release.wait(10)
        return ConversionReport()

    monkeypatch.setattr(calls, "convert", slow)

    async def run() -> int:
        conversion = asyncio.create_task(convert_async(CONTENT, None, to="rle"))
        ticks = 0
        while not begun.is_set() or ticks < 20:  # the loop goes round while the conversion waits
            await asyncio.sleep(0.001)
            ticks += 1
        assert not conversion.done()
        release.set()
        await conversion
        return ticks

    started = time.monotonic()
    assert asyncio.run(run()) >= 20
    assert time.monotonic() - started < 10
    assert threads[0] is not threading.main_thread()


def test_a_dataset_is_converted_and_left_as_it_was() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    before = dataset.PixelData

    result = convert_dataset(dataset, to="rle", set_attributes=(("PatientID", "42"),))

    assert result.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert result.PatientID == "42"
    assert np.array_equal(result.pixel_array, dataset.pixel_array)
    assert dataset.PixelData is before
    assert dataset.PatientID != "42"
