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
from dicodec.model.transfer_syntax import find_by_name
from helpers.data_set_bytes import element, item, sequence
from helpers.lossless_streams import write_lossless
from helpers.made import Element, make_file
from helpers.odd_files import frames_of

PIXELS = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)[np.newaxis]
BASELINE, LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
PROCESS_14 = "1.2.840.10008.1.2.4.57"
JPEG_IN_JPEG_XL = "1.2.840.10008.1.2.4.111"


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
        (told("ISO_10918_1", "4"), "ISO_10918_1", 4),  # what is said stays
        (told("JPEG", "4"), "JPEG", 4),  # of no defined name: it may be this one
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


@pytest.mark.parametrize("syntax", [BASELINE, LOSSLESS])
@pytest.mark.parametrize("flag", ["01", "00"])
def test_a_compression_behind_those_that_are_told_is_appended(flag: str, syntax: str) -> None:
    """Method names an earlier one: the stream's own is another."""
    flag, methods, ratios = record(
        convert_bytes(jpeg(told("ISO_15444_1", "4", flag), syntax), to="rle", verify=True)
    )

    assert (flag, list(methods)) == ("01", ["ISO_15444_1", "ISO_10918_1"])
    assert float(ratios[0]) == 4
    assert float(ratios[1]) > 1

    third = convert_bytes(jpeg(told("ISO_15444_1", "4", flag), syntax), to="jpeg2000", lossy=True)
    assert list(record(third)[1]) == ["ISO_15444_1", "ISO_10918_1", "ISO_15444_1"]


@pytest.mark.parametrize(
    ("target", "method", "other"),
    [("jpeg-ls-near", "ISO_14495_1", "ISO_10918_1"), ("jpeg2000", "ISO_15444_1", "ISO_10918_1"),
     ("htj2k", "ISO_15444_15", "ISO_10918_1"), ("jpegxl", "ISO_18181_1", "ISO_15444_1"),
     ("jpeg", "ISO_10918_1", "ISO_14496_10")],
)  # fmt: skip
def test_every_stream_says_its_own_method(target: str, method: str, other: str) -> None:
    plain, _ = make_file(48, 64, 1, 8, 8, pixels=PIXELS)
    (stream,) = frames_of(convert_bytes(plain, to=target, lossy=True))
    syntax = find_by_name(target)
    assert syntax is not None
    for said, expected in ((method, [method]), (other, [other, method])):
        coded, _ = make_file(
            48, 64, 1, 8, 8, transfer_syntax=syntax.uid, streams=[[stream]], pixels=PIXELS,
            extra=told(said, "4"),
        )  # fmt: skip

        _, methods, ratios = record(convert_bytes(coded, to="explicit-le", verify=True))

        assert methods == expected[0] if len(expected) == 1 else list(methods) == expected
        assert np.size(ratios) == len(expected)


@pytest.mark.parametrize(
    ("stated", "transform", "target", "flag"),
    [(PROCESS_14, 2, "jpeg-lossless", "01"), (LOSSLESS, 2, "jpeg-lossless-p14", "01"),
     (PROCESS_14, 0, "jpeg-lossless", None), (PROCESS_14, 2, "jpeg-lossless-p14", None)],
)  # fmt: skip
def test_a_loss_is_told_where_the_stream_moves_under_another_uid(
    stated: str, transform: int, target: str, flag: str | None
) -> None:
    """Point Transform leaves low bits out. A file that is copied stays as it is."""
    stream = write_lossless(PIXELS[0], 8, point_transform=transform)
    content, _ = make_file(
        48, 64, 1, 8, 8, transfer_syntax=stated, streams=[[stream]], pixels=PIXELS
    )

    result = convert_bytes(content, to=target, verify=True)

    assert frames_of(result)[0].startswith(stream)
    assert record(result)[:2] == (flag, flag and "ISO_10918_1")


def test_a_loss_is_told_where_jpeg_is_unpacked() -> None:
    (packed,) = frames_of(convert_bytes(jpeg([]), to="jpegxl-jpeg"))
    content, _ = make_file(
        48, 64, 1, 8, 8, transfer_syntax=JPEG_IN_JPEG_XL, streams=[[packed]], pixels=PIXELS
    )

    result = convert_bytes(content, to="jpeg", verify=True)

    assert record(content)[0] is None
    assert record(result) == record(convert_bytes(jpeg([]), to="explicit-le"))


def test_a_ratio_that_is_missing_beside_a_method_is_completed() -> None:
    _, method, ratio = record(convert_bytes(jpeg(told("ISO_10918_1")), to="explicit-le"))

    assert method == "ISO_10918_1"
    assert ratio > 1


SMOOTH = np.add.outer(np.arange(480), np.arange(640)).astype(np.uint16)


def jpeg_in_color(frames: int, extra: list[Element]) -> bytes:
    """Return a file around baseline streams with half the columns of chroma, each frame another."""
    pixels = np.stack(
        [np.stack([SMOOTH // (frame + 2), SMOOTH // 5, SMOOTH // 7], -1) for frame in range(frames)]
    ).astype(np.uint8)
    streams = [[bytes(imagecodecs.jpeg8_encode(one, 80, subsampling="422"))] for one in pixels]
    return make_file(
        480, 640, 3, 8, 8, photometric="YBR_FULL_422", transfer_syntax=BASELINE, streams=streams,
        pixels=pixels, extra=extra,
    )[0]  # fmt: skip


@pytest.mark.parametrize("frames", [1, 3, 70])
@pytest.mark.parametrize("extra", [[], told("ISO_10918_1")], ids=["nothing", "method"])
def test_a_repacked_jpeg_has_the_ratio_of_the_jpeg(frames: int, extra: list[Element]) -> None:
    """Whether the step to JPEG XL records it, or whoever repacked has not."""
    data = jpeg_in_color(frames, extra)
    expected = record(convert_bytes(data, to="explicit-le"))

    repacked = convert_bytes(data, to="jpegxl-jpeg", verify=True)
    untold = jpeg_xl_with(frames_of(repacked), extra)

    assert record(repacked) == expected
    assert record(convert_bytes(repacked, to="explicit-le")) == expected
    assert record(convert_bytes(repacked, to="jpeg")) == expected
    flag, method, ratio = record(convert_bytes(untold, to="explicit-le", verify=True))
    assert (flag, method) == expected[:2]
    assert float(ratio) == pytest.approx(float(expected[2]), rel=0 if frames < 32 else 0.01)


def jpeg_xl_with(streams: list[bytes], extra: list[Element]) -> bytes:
    """Return a file around streams of a repacked JPEG, whatever its data set says."""
    return make_file(
        480, 640, 3, 8, 8, photometric="YBR_FULL_422", transfer_syntax=JPEG_IN_JPEG_XL,
        streams=[[one] for one in streams], frames=len(streams), extra=extra,
    )[0]  # fmt: skip


def code(value: str, scheme: str, context: str = "1.2.3") -> bytes:
    return item(
        element(0x00080100, "SH", value.encode().ljust(8))
        + element(0x00080102, "SH", scheme.encode().ljust(8))
        + element(0x00080104, "LO", b"meaning ")
        + element(0x00080117, "UI", context.encode() + b"\0" * (len(context) % 2))
    )


@pytest.mark.parametrize("encoding", ["implicit-le", "explicit-le", "explicit-be"])
def test_derivation_codes_are_told_apart_by_value_and_scheme(encoding: str) -> None:
    """Another code, scheme, or UID may have the same digits."""
    others = (
        code("99X", "99ACME", "1.2.826.0.1.113040.5"), code("113040A", "99ACME"),
        code("113040", "99ACME"), code("113041", "DCM"),
    )  # fmt: skip
    sequence_items = (*others, code("113040", "DCM"))
    extra = [(0x00089215, "SQ", b"".join(sequence_items))]
    data = convert_bytes(make_file(48, 64, 1, 8, 8, pixels=PIXELS, extra=extra)[0], to=encoding)

    once = convert_bytes(data, to="jpeg2000", lossy=True, verify=True)
    twice = convert_bytes(once, to="jpeg", lossy=True, verify=True)

    for result in (once, twice):
        found = pydicom.dcmread(io.BytesIO(result)).DerivationCodeSequence
        assert [(one.CodeValue, one.CodingSchemeDesignator) for one in found] == [
            ("99X", "99ACME"), ("113040A", "99ACME"), ("113040", "99ACME"), ("113041", "DCM"),
            ("113040", "DCM"),
        ]  # fmt: skip
        assert found[0].ContextUID == "1.2.826.0.1.113040.5"


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
    (series,) = again.ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence] == [
        one.ReferencedSOPInstanceUID for one in again.SourceImageSequence
    ]
    assert len(again.SourceImageSequence) == 2
    assert "ReferencedSeriesSequence" not in pydicom.dcmread(
        io.BytesIO(convert_bytes(plain, to="jpeg", lossy=True))
    )


@pytest.mark.parametrize("target", ["jpeg", "jpeg2000", "explicit-le"])
def test_a_file_without_uid_gets_one_and_no_reference_to_nothing(target: str) -> None:
    data, _ = make_file(48, 64, 1, 16, 12, extra=[(0x00080018, "UI", b"")])
    report = convert(data, io.BytesIO(), to=target, lossy=True, rescale_to_8bit=True, verify=True)

    assert "SOPInstanceUID changed" in report.changes
    assert not any("SourceImageSequence" in change for change in report.changes)


def series(uid: bytes, *instances: bytes, more: bytes = b"", undefined: bool = False) -> bytes:
    listed = [item(element(0x00081155, "UI", one)) for one in instances]
    return item(
        more + sequence(0x0008114A, *listed, undefined=undefined) + element(0x0020000E, "UI", uid),
        undefined=undefined,
    )


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("encoding", ["implicit-le", "explicit-le", "explicit-be"])
def test_each_series_has_one_item_among_the_references(encoding: str, undefined: bool) -> None:
    own = pydicom.dcmread(io.BytesIO(make_file(4, 4)[0])).SeriesInstanceUID.encode()
    own += b"\0" * (len(own) % 2)
    private = element(0x00080054, "AE", b"ARCHIVE ")
    listing = (
        series(b"1.2.3.40", b"1.2.1\0", undefined=undefined)
        + series(own, b"1.2.2\0", more=private, undefined=undefined)
        + series(own, b"1.2.3\0", undefined=undefined)  # which should not be
        + series(own, b"1.2.4\0", more=private)  # and has more than can be joined
    )
    data = convert_bytes(
        make_file(48, 64, 1, 8, 8, pixels=PIXELS, extra=[(0x00081115, "SQ", listing)])[0],
        to=encoding,
    )

    result = pydicom.dcmread(io.BytesIO(convert_bytes(data, to="jpeg", lossy=True, verify=True)))

    before = pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID
    assert [
        [one.ReferencedSOPInstanceUID for one in each.ReferencedInstanceSequence]
        for each in result.ReferencedSeriesSequence
    ] == [["1.2.1"], ["1.2.2", "1.2.3", before], ["1.2.4"]]
    assert result.ReferencedSeriesSequence[1].RetrieveAETitle == "ARCHIVE"
