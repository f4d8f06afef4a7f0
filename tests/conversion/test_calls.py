"""The calls for event loops, which go on meanwhile, and for data sets of pydicom."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from dicodec import convert, convert_async, convert_bytes, convert_dataset
from dicodec.conversion import calls
from dicodec.conversion import convert as conversion
from dicodec.errors import InvalidOptionError, SourceUnavailableError, TargetExistsError
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

    monkeypatch.setattr(calls, "convert_with", slow)

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


@pytest.mark.parametrize("there", [False, True])
def test_a_cancelled_conversion_leaves_nothing_behind(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.dcm"
    if there:
        target.write_bytes(b"before")
    begun, release = threading.Event(), threading.Event()
    convert_with = conversion.convert_with

    def slow(*given: Any, **named: Any) -> ConversionReport:
        begun.set()
        assert release.wait(10)
        return convert_with(*given, **named)

    monkeypatch.setattr(calls, "convert_with", slow)

    async def run() -> None:
        conversion = asyncio.create_task(convert_async(CONTENT, target, to="rle", overwrite=there))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        conversion.cancel()
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, conversion.cancel)  # impatience ends nothing sooner
        loop.call_later(0.2, release.set)
        with pytest.raises(asyncio.CancelledError):
            await conversion
        assert release.is_set()

    asyncio.run(run())
    assert [path.name for path in tmp_path.iterdir()] == ["out.dcm"] * there
    assert not there or target.read_bytes() == b"before"


def test_a_conversion_cancelled_at_its_end_is_not_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_with = conversion.convert_with
    tasks: list[asyncio.Task[ConversionReport]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def cancel_at_the_end(*given: Any, **named: Any) -> ConversionReport:
            report = convert_with(*given, **named)
            loop.call_soon_threadsafe(tasks[0].cancel)
            time.sleep(0.1)  # the event is set by then
            return report

        monkeypatch.setattr(calls, "convert_with", cancel_at_the_end)
        tasks.append(asyncio.create_task(convert_async(CONTENT, tmp_path / "out.dcm", to="rle")))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    asyncio.run(run())
    assert not list(tmp_path.iterdir())


def make_plain_dataset() -> pydicom.Dataset:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    plain = pydicom.Dataset()
    plain.update(dataset)
    return plain


def test_a_dataset_without_file_meta_is_native() -> None:
    dataset = make_plain_dataset()

    result = convert_dataset(dataset, to="rle")

    assert result.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert not hasattr(dataset, "file_meta")
    original = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    assert np.array_equal(result.pixel_array, original.pixel_array)


def test_a_big_endian_dataset_without_file_meta() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small_bigendian.dcm", download=False)))
    samples = dataset.pixel_array
    del dataset.file_meta

    assert np.array_equal(convert_dataset(dataset, to="explicit-le").pixel_array, samples)


def test_fragments_in_an_unknown_syntax_are_refused() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small_RLE.dcm", download=False)))
    del dataset.file_meta

    with pytest.raises(InvalidOptionError, match="does not say in which transfer syntax"):
        convert_dataset(dataset, to="explicit-le")


def test_a_dataset_is_converted_and_left_as_it_was() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    before = dataset.PixelData

    result = convert_dataset(dataset, to="rle", set_attributes=(("PatientID", "42"),))

    assert result.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert result.PatientID == "42"
    assert np.array_equal(result.pixel_array, dataset.pixel_array)
    assert dataset.PixelData is before
    assert dataset.PatientID != "42"


def test_annotations_of_calls_can_be_read() -> None:
    """As frameworks read them that make forms and commands of functions."""
    hints = get_type_hints(convert_dataset)
    assert hints["return"] is pydicom.FileDataset
    for call in (convert_async, convert_bytes, convert):
        assert "to" in get_type_hints(call)


@pytest.mark.parametrize("left", [(), ("SOPClassUID",), ("SOPInstanceUID",)])
@pytest.mark.parametrize(
    "syntax", ["", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"]
)
def test_a_data_set_needs_no_uids_of_its_own(left: tuple[str, ...], syntax: str) -> None:
    samples = np.arange(48, dtype=np.uint16).reshape(6, 8)
    dataset = pydicom.Dataset()
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 6, 8, 1
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = (samples.byteswap() if syntax.endswith("1.2.2") else samples).tobytes()
    dataset["PixelData"].VR = "OW"
    for name in left:
        dataset[name] = pydicom.DataElement(name, "UI", "1.2.840.10008.5.1.4.1.1.7")
    if syntax:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)

    result = convert_dataset(dataset, to="rle")

    assert np.array_equal(result.pixel_array, samples)
    assert [name for name in ("SOPClassUID", "SOPInstanceUID") if name in result] == list(left)
    assert np.array_equal(convert_dataset(result, to="explicit-le").pixel_array, samples)
