"""Frame boundaries that a table, or a number, has wrong: the streams tell where frames begin."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import DicodecError, MissingFrameError
from dicodec.repair.opening import open_tolerantly
from helpers.made import IMAGE_KINDS, make_file
from helpers.samples import native_samples

FRAMES = 4
SYNTAXES = (
    "rle", "jpeg", "jpeg-lossless", "jpeg-lossless-p14", "jpeg-ls", "jpeg2000-lossless",
    "htj2k-lossless", "jpegxl-lossless", "encapsulated-uncompressed", "deflated-frame",
)  # fmt: skip
TABLES = ("empty", "right", "of fragments", "extended of fragments")


@cache
def coded(syntax: str) -> tuple[bytes, tuple[bytes, ...], NDArray[Any]]:
    """Return a file of some frames, the stream of each, and the samples."""
    data, _ = IMAGE_KINDS["gray-8"].make(frames=FRAMES)
    file = convert_bytes(data, to=syntax, lossy=True)
    dataset = pydicom.dcmread(io.BytesIO(file))
    streams = tuple(generate_frames(dataset.PixelData, number_of_frames=FRAMES))
    return file, streams, native_samples(convert_bytes(file, to="explicit-le"))


def written(dataset: pydicom.Dataset) -> bytes:
    """Write a data set of any transfer syntax: pydicom refuses the newest ones."""
    uid = str(dataset.file_meta.TransferSyntaxUID)
    known = {22: "1.2.840.10008.1.2.4.80", 24: "1.2.840.10008.1.2.4.201"}
    other: str = known.get(len(uid) + len(uid) % 2, "1.2.840.10008.1.2.5")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(other)
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=False)
    one, two = (text.encode() + b"\0" * (len(text) % 2) for text in (other, uid))
    assert len(one) == len(two)
    return out.getvalue().replace(one, two, 1)


def items(*values: bytes) -> bytes:
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(one)) + one for one in values)


def cut(stream: bytes, pieces: int) -> list[bytes]:
    size = max(len(stream) // pieces // 2 * 2, 2)
    parts = [stream[at : at + size] for at in range(0, len(stream), size)]
    return [part + b"\0" * (len(part) % 2) for part in parts]


def made(syntax: str, table: str, number: int | None, pieces: int = 3) -> bytes:
    """Return the file with its frames cut over fragments, and a table and number as asked."""
    file, streams, _ = coded(syntax)
    fragments = [cut(stream, pieces) for stream in streams]
    flat = [part for parts in fragments for part in parts]
    offsets = np.cumsum([0, *(8 + len(part) for part in flat)])[:-1].tolist()
    firsts = np.cumsum([0, *map(len, fragments)])[:-1].tolist()
    listed = [offsets[first] for first in firsts] if table == "right" else offsets
    basic = struct.pack(f"<{len(listed)}I", *listed) if table in {"right", "of fragments"} else b""
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.PixelData = items(basic, *flat)
    dataset["PixelData"].is_undefined_length = True
    if "ExtendedOffsetTable" in dataset:
        del dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths
    if table == "extended of fragments":
        dataset.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
        dataset.ExtendedOffsetTableLengths = struct.pack(f"<{len(flat)}Q", *map(len, flat))
    dataset.NumberOfFrames = len(flat) if number is None else number
    return written(dataset)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("syntax", "counts"),
    [(syntax, "frames") for syntax in SYNTAXES]
    + [(syntax, "fragments") for syntax in SYNTAXES if syntax != "jpegxl-lossless"],
)  # JPEG XL streams have no end to be counted by
def test_frames_begin_where_streams_do(syntax: str, counts: str, table: str) -> None:
    wrong = made(syntax, table, FRAMES if counts == "frames" else None)

    result = convert_bytes(wrong, to="explicit-le", verify=True)

    assert np.array_equal(native_samples(result), coded(syntax)[2])
    assert pydicom.dcmread(io.BytesIO(result)).NumberOfFrames == FRAMES


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_moved_frames_get_a_right_table(syntax: str, table: str) -> None:
    wrong = made(syntax, table, FRAMES)
    out = io.BytesIO()

    report = convert(wrong, out, to=syntax, offset_table="basic", verify=True)

    assert report.verified
    assert not inspect(out.getvalue()).oddities
    back = convert_bytes(out.getvalue(), to="explicit-le")
    assert np.array_equal(native_samples(back), coded(syntax)[2])


@pytest.mark.parametrize("syntax", ["rle", "jpeg-ls", "jpeg2000-lossless", "deflated-frame"])
def test_a_table_that_joins_two_frames_is_not_believed(syntax: str) -> None:
    file, streams, samples = coded(syntax)
    dataset = pydicom.dcmread(io.BytesIO(file))
    padded = [one + b"\0" * (len(one) % 2) for one in streams]
    offsets = np.cumsum([0, *(8 + len(one) for one in padded)])[:-1].tolist()
    dataset.PixelData = items(struct.pack("<3I", offsets[0], offsets[2], offsets[3]), *padded)
    dataset["PixelData"].is_undefined_length = True
    dataset.NumberOfFrames = 3

    result = convert_bytes(written(dataset), to="explicit-le", verify=True)

    assert np.array_equal(native_samples(result), samples)


@pytest.mark.parametrize("table", ["empty", "right"])
@pytest.mark.parametrize("number", [None, 1, 2])
@pytest.mark.parametrize("padding", [bytes(2), bytes(12), b"\xff" * 4, b"junk that follows "])
@pytest.mark.parametrize("syntax", ["jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "rle"])
def test_whatever_pads_streams_they_are_told_apart(
    syntax: str, padding: bytes, number: int | None, table: str
) -> None:
    file, streams, samples = coded(syntax)
    dataset = pydicom.dcmread(io.BytesIO(file))
    padded = [one + b"\0" * (len(one) % 2) + padding for one in streams]
    half = len(padded[-1]) // 4 * 2
    parts = [[one] for one in padded[:-1]] + [[padded[-1][:half], padded[-1][half:]]]
    offsets = np.cumsum([0, *(8 * len(part) + sum(map(len, part)) for part in parts)])[:-1]
    basic = struct.pack(f"<{FRAMES}I", *offsets) if table == "right" else b""
    dataset.PixelData = items(basic, *(one for part in parts for one in part))
    dataset["PixelData"].is_undefined_length = True
    if number is None:
        del dataset.NumberOfFrames
    else:
        dataset.NumberOfFrames = number

    result = convert_bytes(written(dataset), to="explicit-le", verify=True)

    assert np.array_equal(native_samples(result), samples)
    assert pydicom.dcmread(io.BytesIO(result)).NumberOfFrames == FRAMES


def as_long_as_samples(syntax: str) -> tuple[bytes, bytes]:
    """Return a file of one frame, and its stream, padded to the length of its samples."""
    pixels = np.zeros((1, 40, 40), "u1") + np.arange(40, dtype="u1")[:, None]
    content = convert_bytes(make_file(40, 40, 1, 8, 8, pixels=pixels)[0], to=syntax, lossy=True)
    stream = next(
        generate_frames(pydicom.dcmread(io.BytesIO(content)).PixelData, number_of_frames=1)
    )
    if syntax == "deflated-frame":  # stored blocks of no bytes leave none behind its end
        stream = bytes([0, 0, 0, 255, 255]) * ((1600 - len(stream)) // 5) + stream
    assert len(stream) <= 1600
    return content, stream.ljust(1600, b"\0")


def with_items(content: bytes, *fragments: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.PixelData = items(*fragments)
    dataset["PixelData"].is_undefined_length = True
    return written(dataset)


@pytest.mark.parametrize("table", [True, False], ids=["table", "no table"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty fragment", "none empty"])
@pytest.mark.parametrize("first", [20, 70])
@pytest.mark.parametrize(
    "syntax",
    ["jpeg", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "rle", "deflated-frame"],
)
def test_a_stream_as_long_as_its_samples_is_a_stream(
    syntax: str, first: int, empty: bool, table: bool
) -> None:
    """Though its first fragment ends within its headers, or before it could be inflated."""
    content, stream = as_long_as_samples(syntax)
    before, after = [b""] * table, [b""] * empty
    wrong = with_items(content, *before, stream[:first], stream[first:], *after)

    result = convert_bytes(wrong, to="explicit-le", verify=True)

    wanted = native_samples(convert_bytes(content, to="explicit-le"))
    assert np.array_equal(native_samples(result), wanted)


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless"])
def test_a_damaged_stream_as_long_as_its_samples_is_no_samples(syntax: str) -> None:
    content, stream = as_long_as_samples(syntax)
    damaged = stream[:4] + bytes(60) + stream[64:]

    with pytest.raises(DicodecError):
        convert_bytes(with_items(content, b"", damaged, b""), to="explicit-le")


def test_a_lost_frame_stays_lost() -> None:
    file, streams, _ = coded("jpeg-ls")
    dataset = pydicom.dcmread(io.BytesIO(file))
    padded = [one + b"\0" * (len(one) % 2) for one in streams]
    dataset.PixelData = items(b"", *padded[:3])
    dataset["PixelData"].is_undefined_length = True

    with pytest.raises(MissingFrameError):
        convert_bytes(written(dataset), to="explicit-le")


def test_a_damaged_frame_is_not_joined_to_another() -> None:
    file, streams, _ = coded("jpeg-ls")
    padded = [one + b"\0" * (len(one) % 2) for one in streams]
    padded[1] = b"\x12" * len(padded[1])
    dataset = pydicom.dcmread(io.BytesIO(file))
    dataset.PixelData = items(b"", *padded)
    dataset["PixelData"].is_undefined_length = True

    with pytest.raises(DicodecError) as raised:
        convert_bytes(written(dataset), to="explicit-le")

    assert raised.value.frame == 1


def test_moved_bytes_that_no_decoder_takes_are_told_of() -> None:
    file, streams, _ = coded("jpeg-ls")
    padded = [one + b"\0" * (len(one) % 2) for one in streams]
    middle = len(padded[2]) // 2
    padded[2] = padded[2][:middle] + b"\xff\xff\xff\xff" + padded[2][middle + 4 :]
    dataset = pydicom.dcmread(io.BytesIO(file))
    lengths = [8 + len(one) for one in padded]
    table = struct.pack("<4I", *np.cumsum([0, *lengths])[:-1].tolist())
    dataset.PixelData = items(table, *padded)
    dataset["PixelData"].is_undefined_length = True

    report = convert(
        written(dataset), io.BytesIO(), to="jpeg-ls", verify=True, set_attributes={"PatientID": "A"}
    )

    assert any("frame 2 cannot be decoded" in one for one in report.warnings)


@settings(max_examples=25, deadline=None)
@given(
    syntax=st.sampled_from([one for one in SYNTAXES if one != "jpegxl-lossless"]),
    pieces=st.integers(1, 9),
    table=st.sampled_from(TABLES),
    counted=st.booleans(),
)
def test_any_cut_and_table(syntax: str, pieces: int, table: str, counted: bool) -> None:
    wrong = made(syntax, table, None if counted else FRAMES, pieces)

    result = convert_bytes(wrong, to="explicit-le", verify=True)

    assert np.array_equal(native_samples(result), coded(syntax)[2])


@pytest.mark.parametrize("syntax", ["jpeg-ls", "jpeg2000-lossless"])
def test_frames_that_begin_alike_are_told_when_boundaries_are_judged(syntax: str) -> None:
    """So the survey of all frames need not read their headers again."""
    file, streams, _ = coded(syntax)
    other = coded("htj2k-lossless" if syntax == "jpeg2000-lossless" else "jpeg-lossless")[1]
    for last, alike in ((streams[-1], True), (other[-1], False)):
        dataset = pydicom.dcmread(io.BytesIO(file))
        parts = [one + b"\0" * (len(one) % 2) for one in (*streams[:-1], last)]
        dataset.PixelData = items(b"", *parts)
        with open_tolerantly(written(dataset)) as opened:
            assert opened.frames.encapsulated is not None
            assert opened.frames.encapsulated.alike is alike


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_edits_in_place_reframe_what_only_streams_tell(
    syntax: str, table: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(made(syntax, table, FRAMES))

    report = convert(path, path, to=syntax, overwrite=True, set_attributes={"PatientID": "1"})

    assert report.verified
    assert not inspect(path).oddities
    back = convert_bytes(path.read_bytes(), to="explicit-le")
    assert np.array_equal(native_samples(back), coded(syntax)[2])
