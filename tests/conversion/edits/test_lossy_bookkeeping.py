"""What a result says of lossy compressions, its own and earlier ones, whatever the source said.

PITFALLS of others: 35 (a measured ratio), 36 (appended, never overwritten), 37 and 38 (a new UID,
in both places), 43 (never taken back).
"""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes
from helpers.data_set_bytes import element, item, sequence
from helpers.made import Element, make_file

PIXELS = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)[np.newaxis]
BASELINE, LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"


def jpeg(extra: list[Element], syntax: str = BASELINE) -> bytes:
    """Return a file around a baseline stream, whatever its data set says."""
    stream = bytes(imagecodecs.jpeg8_encode(PIXELS[0], 80))
    return make_file(
        48, 64, 1, 8, 8, transfer_syntax=syntax, streams=[[stream]], pixels=PIXELS, extra=extra
    )[0]


def record(data: bytes) -> tuple[Any, Any, Any]:
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    names = ("LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio")
    return tuple(dataset.get(name) for name in names)


def told(method: str = "", ratio: str = "", flag: str = "01") -> list[Element]:
    values = ((0x00282110, "CS", flag), (0x00282112, "DS", ratio), (0x00282114, "CS", method))
    return [(tag, vr, value.encode()) for tag, vr, value in values if value]


@pytest.mark.parametrize("target", ["explicit-le", "rle", "jpeg2000-lossless"])
@pytest.mark.parametrize("syntax", [BASELINE, LOSSLESS])
@pytest.mark.parametrize("extra", [[], told(flag="00")], ids=["nothing", "00"])
def test_a_loss_that_was_never_told_is_told(target: str, syntax: str, extra: list[Element]) -> None:
    """The method is the stream's, though the file be called lossless."""
    data = jpeg(extra, syntax)

    flag, method, ratio = record(convert_bytes(data, to=target))

    assert (flag, method) == ("01", "ISO_10918_1")
    size = len(imagecodecs.jpeg8_encode(PIXELS[0], 80))
    assert float(ratio) == pytest.approx(PIXELS.size / (size + size % 2), rel=0.01)


@pytest.mark.parametrize(
    ("extra", "method", "ratio"),
    [
        (told(ratio="17"), "ISO_10918_1", 17),
        (told("ISO_15444_1", "4"), "ISO_15444_1", 4),  # what is said stays
        (told("ISO_15444_1"), "ISO_15444_1", None),
        (told(ratio="3\\4"), None, [3, 4]),  # which of them the stream is nobody knows
    ],
)
def test_what_is_told_is_completed_but_not_changed(
    extra: list[Element], method: str | None, ratio: Any
) -> None:
    out = io.BytesIO()
    report = convert(jpeg(extra), out, to="explicit-le")

    assert record(out.getvalue()) == ("01", method, ratio)
    assert "LossyImageCompression changed" not in report.changes
    assert "LossyImageCompressionRatio changed" not in report.changes


def test_a_record_without_method_is_appended_to_in_step() -> None:
    flag, methods, ratios = record(convert_bytes(jpeg(told(ratio="17")), to="jpeg2000", ratio=5))

    assert (flag, list(methods)) == ("01", ["ISO_10918_1", "ISO_15444_1"])
    assert len(ratios) == 2
    assert float(ratios[0]) == 17


def test_references_are_listed_where_functional_groups_are() -> None:
    """PS3.3 C.12.2: what Source Image Sequence refers to is listed by series too."""
    group = sequence(0x52009229, item(element(0x00280030, "DS", b"1\\1 ")))[12:]
    plain, _ = make_file(48, 64, 1, 8, 8, pixels=PIXELS)
    grouped, _ = make_file(48, 64, 1, 8, 8, pixels=PIXELS, extra=[(0x52009229, "SQ", group)])

    before = pydicom.dcmread(io.BytesIO(grouped))
    after = pydicom.dcmread(io.BytesIO(convert_bytes(grouped, to="jpeg", lossy=True)))
    again = pydicom.dcmread(
        io.BytesIO(convert_bytes(convert_bytes(grouped, to="jpeg", lossy=True), to="jpeg2000",
                                 lossy=True, verify=True))
    )  # fmt: skip

    (series,) = after.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == before.SeriesInstanceUID
    (instance,) = series.ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert len(again.ReferencedSeriesSequence) == len(again.SourceImageSequence) == 2
    assert "ReferencedSeriesSequence" not in pydicom.dcmread(
        io.BytesIO(convert_bytes(plain, to="jpeg", lossy=True))
    )


@pytest.mark.parametrize("target", ["jpeg", "jpeg2000", "explicit-le"])
def test_a_file_without_uid_gets_one_and_no_reference_to_nothing(target: str) -> None:
    data, _ = make_file(48, 64, 1, 16, 12, extra=[(0x00080018, "UI", b"")])
    report = convert(data, io.BytesIO(), to=target, lossy=True, rescale_to_8bit=True, verify=True)

    assert "SOPInstanceUID changed" in report.changes
    assert not any("SourceImageSequence" in change for change in report.changes)
