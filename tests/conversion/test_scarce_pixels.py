"""Pixel Data without bytes, left out, a little short, or of samples nobody reads: it moves."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, DicodecError, FrameError, TruncatedFrameError
from dicodec.model.transfer_syntax import find_by_name
from dicodec.report import ConversionReport
from helpers.data_set_bytes import element, file_of
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    PIXEL_DATA,
    make_file,
)
from helpers.odd_files import DELIMITER

NATIVE = {
    "explicit-le": EXPLICIT_LE, "implicit-le": IMPLICIT_LE, "explicit-be": EXPLICIT_BE,
    "deflated": DEFLATED,
}  # fmt: skip
ENCAPSULATED = ("rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "jpegxl-lossless",
                "encapsulated-uncompressed", "deflated-frame")  # fmt: skip
EMPTY_TABLE = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def run(data: bytes, to: str, **options: Any) -> tuple[ConversionReport, bytes]:
    out = io.BytesIO()
    report = convert(data, out, to=to, verify=True, **options)
    return report, out.getvalue()


def read(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def header(syntax: str) -> bytes:
    """Return a file up to its Pixel Data."""
    row = find_by_name(syntax)
    assert row is not None
    data = make_file(8, 8, transfer_syntax=row.uid, streams=[[b"x"]])[0]
    return data[: data.index(struct.pack("<HH2s", 0x7FE0, 0x10, b"OB"))]


def empty(syntax: str) -> bytes:
    """Return an image whose Pixel Data has not a byte."""
    if syntax in NATIVE:
        extra = [(PIXEL_DATA, "OW", b"")]
        return make_file(8, 8, transfer_syntax=NATIVE[syntax], extra=extra)[0]
    start = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
    return header(syntax) + start + EMPTY_TABLE + DELIMITER


# Without bytes, and left out.


@pytest.mark.parametrize("to", [*NATIVE, "rle", "jpeg-ls"])
@pytest.mark.parametrize("syntax", [*NATIVE, *ENCAPSULATED])
def test_pixel_data_without_bytes_stays_so(syntax: str, to: str) -> None:
    report, result = run(empty(syntax), to)

    assert any("Pixel Data has no bytes" in one for one in report.warnings)
    assert report.frames == 0
    kept = to in NATIVE or to == syntax
    stored = to if kept else "explicit-le"
    assert report.target_syntax == stored
    assert not read(result).get("PixelData") or to == syntax
    assert "PixelData" in read(result)
    assert inspect(result).transfer_syntax == stored


@pytest.mark.parametrize("value", [b"", DELIMITER, EMPTY_TABLE + EMPTY_TABLE + DELIMITER])
def test_other_forms_of_nothing(value: bytes) -> None:
    length = 0xFFFFFFFF if value else 0
    start = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, length)
    for to in ("explicit-le", "rle", "jpeg-ls"):
        report, _ = run(header("jpeg-ls") + start + value, to)
        assert any("Pixel Data has no bytes" in one for one in report.warnings)


@pytest.mark.parametrize("to", [*NATIVE, "rle", "jpeg-ls"])
@pytest.mark.parametrize("syntax", ENCAPSULATED)
def test_a_header_without_pixel_data_is_one_under_any_uid(syntax: str, to: str) -> None:
    report, result = run(header(syntax), to)

    assert "cut off" in report.warnings[0]
    assert report.target_syntax == (to if to in NATIVE or to == syntax else "explicit-le")
    assert read(result).PatientID == "0"
    assert "PixelData" not in read(result)


@pytest.mark.parametrize("to", [*NATIVE, "rle"])
def test_a_report_with_empty_pixel_data_needs_no_rows(to: str) -> None:
    sop_class = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.88.11\0")
    pixels = element(PIXEL_DATA, "OW", b"")
    report, result = run(file_of(sop_class + element(0x00100020, "LO", b"1 ") + pixels), to)

    assert report.target_syntax == (to if to in NATIVE else "explicit-le")
    assert read(result).PatientID == "1"


@pytest.mark.parametrize("syntax", [*NATIVE, "rle", "jpeg-ls"])
@pytest.mark.parametrize("made", [empty, header])
def test_attributes_are_edited_in_place(tmp_path: Path, made: Any, syntax: str) -> None:
    if made is header and syntax in NATIVE:
        syntax = "jpeg2000-lossless"
    path = tmp_path / "x.dcm"
    path.write_bytes(made(syntax))

    report = convert(
        path, path, to=syntax, overwrite=True, set_attributes=[("PatientID", "2")], salvage=None
    )

    assert report.verified
    assert read(path.read_bytes()).PatientID == "2"
    assert compare(made(syntax), path, allow=["PatientID"]).equal


def test_nothing_is_salvaged_where_there_is_nothing() -> None:
    for mode in ("fill", "drop"):
        report, _ = run(empty("explicit-le"), "implicit-le", salvage=mode)
        assert not report.salvaged


@pytest.mark.parametrize("to", ["rle", "jpeg-ls", "explicit-le"])
def test_a_file_that_is_cut_in_its_pixel_data_is_none_of_these(to: str) -> None:
    data = make_file(8, 8)[0]
    cut = data[: data.index(struct.pack("<HH2s", 0x7FE0, 0x10, b"OW")) + 12]
    with pytest.raises(TruncatedFrameError):
        convert_bytes(cut, to=to)
    for end in (b"", EMPTY_TABLE):
        start = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
        with pytest.raises(DicodecError):
            convert_bytes(header("jpeg-ls") + start + end, to=to)


# A little short.

SHORT = {
    # kind: bytes that lack, and samples that are there
    "rgb-8": (1, 48 * 64 * 3 - 1), "odd-size": (1, 33 * 47 - 1), "gray-8": (2, 48 * 64 - 2),
    "gray-12-in-16": (2, 48 * 64 - 1), "signed-16": (1, 48 * 64 - 1),
    "multi-frame": (2, 5 * 48 * 64 - 1), "rgb-8-by-plane": (1, 48 * 64 * 3 - 1),
}  # fmt: skip


def short(kind: str, syntax: str) -> tuple[bytes, Any]:
    """Return a whole file with a short value, and the samples of the right one."""
    right, samples = IMAGE_KINDS[kind].make()
    value = read(right).PixelData[: samples.nbytes - SHORT[kind][0]]
    vr = "OW" if samples.itemsize > 1 or syntax == "implicit-le" else "OB"
    if len(value) % 2:  # as it is found: of odd length
        assert syntax == "explicit-le"
        start = right.index(struct.pack("<HH2s", 0x7FE0, 0x10, vr.encode()))
        return right[:start] + element(PIXEL_DATA, vr, value), samples
    made = IMAGE_KINDS[kind].make(transfer_syntax=NATIVE[syntax], extra=[(PIXEL_DATA, vr, value)])
    return made[0], samples


@pytest.mark.parametrize("to", NATIVE)
@pytest.mark.parametrize("kind", SHORT)
def test_a_value_that_is_a_little_short_moves(tmp_path: Path, kind: str, to: str) -> None:
    data, samples = short(kind, "explicit-le")
    value = read(data).PixelData
    if to == "explicit-be" and len(value) % samples.itemsize:
        with pytest.raises(TruncatedFrameError):  # half a sample has no place in the other order
            convert_bytes(data, to=to)
        return
    path = tmp_path / "x.dcm"
    path.write_bytes(data)

    report = convert(path, path, to=to, overwrite=True)

    assert report.verified
    assert [one.id for one in report.oddities] == ["short-pixel-data"]
    assert any("shorter than its frames" in one for one in report.warnings)
    back = read(convert_bytes(path.read_bytes(), to="explicit-le", verify=True)).PixelData
    assert back == value + b"\0" * (len(value) % 2)
    with pytest.raises(ContradictionError):
        convert_bytes(data, to=to, strict=True)


@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be", "rle", "jpeg-ls"])
@pytest.mark.parametrize("kind", SHORT)
def test_salvage_keeps_the_samples_that_are_there(kind: str, to: str) -> None:
    data, samples = short(kind, "explicit-le")
    there = SHORT[kind][1]
    with pytest.raises(TruncatedFrameError) as raised:
        convert_bytes(data, to="rle")
    assert raised.value.hint is not None
    assert "fill" in raised.value.hint

    report, result = run(data, to, salvage="fill")

    (damaged,) = report.salvaged_frames
    of_frame = there - damaged.frame * samples[0].size
    assert damaged.kept == of_frame
    assert f"the first {of_frame} samples of frame {damaged.frame + 1} are kept" in report.salvaged
    native = convert_bytes(result, to="explicit-le")
    found = np.frombuffer(read(native).PixelData, samples.dtype)[: samples.size]
    planar = kind == "rgb-8-by-plane" and read(native).PlanarConfiguration == 0
    expected = np.moveaxis(samples, -1, 1) if kind == "rgb-8-by-plane" else samples
    if planar:
        found = np.moveaxis(found.reshape(samples.shape), -1, 1)
    assert np.array_equal(found.reshape(-1)[:there], expected.reshape(-1)[:there])


@pytest.mark.parametrize("photometric", ["YBR_FULL_422"])
def test_pixels_that_share_their_chroma_are_kept_together(photometric: str) -> None:
    quads = bytes(range(1, 8 * 8 * 2 + 1))
    right = make_file(8, 8, 3, 8, 8, photometric=photometric,
                      extra=[(PIXEL_DATA, "OB", quads[:-2])])[0]  # fmt: skip
    _, result = run(right, "explicit-le", salvage="fill")

    found = read(result).PixelData
    assert found[: len(quads) - 4] == quads[:-4]
    assert found[-4:] == b"\0\0\x80\x80"


def test_a_frame_that_is_missing_is_not_a_little() -> None:
    data, _ = IMAGE_KINDS["multi-frame"].make(extra=[(0x00280008, "IS", b"6")])
    with pytest.raises(FrameError):
        convert_bytes(data, to="implicit-le")
    _, result = run(data, "implicit-le", salvage="fill")
    assert read(result).NumberOfFrames == 6


# Samples of other sizes.


@pytest.mark.parametrize("bits", [24, 40, 48, 56])
@pytest.mark.parametrize("to", NATIVE)
@pytest.mark.parametrize("source", NATIVE)
def test_samples_of_other_sizes_move(tmp_path: Path, source: str, to: str, bits: int) -> None:
    size = bits // 8
    value = bytes(range(1, 4 * 5 * size + 1))
    swapped = b"".join(value[i : i + size][::-1] for i in range(0, len(value), size))
    extra = [
        (0x00280100, "US", struct.pack("<H", bits)), (0x00280101, "US", struct.pack("<H", bits)),
        (0x00280102, "US", struct.pack("<H", bits - 1)),
        (PIXEL_DATA, "OB", value if source != "explicit-be" else swapped),
    ]  # fmt: skip
    path = tmp_path / "x.dcm"
    path.write_bytes(make_file(4, 5, transfer_syntax=NATIVE[source], extra=extra)[0])

    report = convert(path, path, to=to, overwrite=True, set_attributes=[("PatientID", "2")])

    assert report.verified
    result = read(path.read_bytes())
    assert result.PatientID == "2"
    assert result.PixelData == (swapped if to == "explicit-be" else value)
    crossed = "explicit-be" in {source, to} and source != to
    assert crossed == any("most significant byte first" in one for one in report.warnings)


def test_samples_of_other_sizes_are_not_compressed() -> None:
    extra = [(0x00280100, "US", b"\x18\0"), (PIXEL_DATA, "OB", bytes(60))]
    with pytest.raises(DicodecError, match="BitsAllocated is 24") as raised:
        convert_bytes(make_file(4, 5, extra=extra)[0], to="rle")
    assert raised.value.hint is not None


def test_a_large_value_of_odd_units_is_swapped_over_its_pieces() -> None:
    size = 3 * 400_000
    value = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    extra = [(0x00280100, "US", b"\x18\0"), (PIXEL_DATA, "OB", value)]
    data = make_file(400, 1000, extra=extra)[0]

    there = convert_bytes(data, to="explicit-be", verify=True)

    assert read(there).PixelData == np.frombuffer(value, np.uint8).reshape(-1, 3)[:, ::-1].tobytes()
    assert read(convert_bytes(there, to="explicit-le", verify=True)).PixelData == value
