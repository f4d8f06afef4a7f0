"""Writing Pixel Data: offset tables as asked for, fragments of even length (PS3.5 A.4)."""

from __future__ import annotations

import io
import struct

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames, parse_basic_offsets, parse_fragments

from dicodec import convert, convert_bytes
from dicodec.conversion.planning import pixel_planner
from dicodec.errors import ConversionError
from dicodec.model import tags
from dicodec.model.transfer_syntax import find_by_name
from dicodec.options import ConversionOptions
from dicodec.part10 import pixel_writer
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.pixel_writer import EncapsulatedWriter, NativeWriter, patch
from helpers.made import IMAGE_KINDS, encapsulated, make_file

STREAMS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)
TABLES = ("auto", "basic", "extended", "empty")


def written(streams: list[bytes], table: str, room: int = 0) -> bytes:
    out = io.BytesIO(bytes(room))
    out.seek(room)
    extended = (0, room // 2) if table == "extended" else None
    writer = EncapsulatedWriter(out, len(streams), table, extended)
    for stream in streams:
        writer.write(stream)
    writer.finish()
    assert writer.encoded_size == sum(len(stream) + len(stream) % 2 for stream in streams)
    assert out.tell() == len(out.getvalue())
    return out.getvalue()


@given(STREAMS)
def test_a_basic_offset_table_is_patched_in(streams: list[bytes]) -> None:
    assert written(streams, "basic") == encapsulated([[stream] for stream in streams])


@given(st.binary(max_size=40), st.sampled_from(["basic", "empty"]))
def test_a_single_frame_is_written_from_front_to_back(stream: bytes, table: str) -> None:
    class Forwards(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            raise AssertionError((offset, whence))

    out = Forwards()
    writer = EncapsulatedWriter(out, 1, table)
    writer.write(stream)
    writer.finish()
    assert out.getvalue() == written([stream], table)


@given(STREAMS)
def test_an_empty_offset_table_stays_empty(streams: list[bytes]) -> None:
    expected = encapsulated([[stream] for stream in streams], offset_table=False)
    assert written(streams, "empty") == expected


@given(STREAMS)
def test_an_extended_offset_table_is_patched_in_elsewhere(streams: list[bytes]) -> None:
    count = len(streams)
    content = written(streams, "extended", 16 * count)

    value = content[16 * count + 12 :]
    assert parse_basic_offsets(value) == []
    offsets = struct.unpack_from(f"<{count}Q", content)
    lengths = struct.unpack_from(f"<{count}Q", content, 8 * count)
    assert lengths == tuple(len(stream) + len(stream) % 2 for stream in streams)
    for stream, offset, length in zip(streams, offsets, lengths, strict=True):
        start = 8 + offset  # counted from the first byte after the empty table's item
        assert value[start : start + 4] == b"\xfe\xff\x00\xe0"
        assert value[start + 8 : start + 8 + length] == stream + bytes(len(stream) % 2)


def test_offsets_that_pass_32_bits_are_refused_in_a_basic_table() -> None:
    out = io.BytesIO()
    writer = EncapsulatedWriter(out, 2, "basic")
    writer.write(b"ab")
    writer._lengths[0] = 1 << 32
    writer.write(b"cd")

    with pytest.raises(ConversionError, match="too large for a Basic Offset Table") as raised:
        writer.finish()
    assert "Extended" in (raised.value.hint or "")


def test_a_stream_too_long_for_a_fragment_is_refused() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return 0xFFFFFFFF

    writer = EncapsulatedWriter(io.BytesIO(), 1, "basic")
    with pytest.raises(ConversionError, match="too long") as raised:
        writer.write(Long())
    assert raised.value.frame == 0


def test_patching_returns_to_the_end() -> None:
    out = io.BytesIO(b"abcdef")
    out.seek(6)
    patch(out, 2, b"XY")
    out.write(b"g")
    assert out.getvalue() == b"abXYefg"


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE], ids=str)
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_native_values_are_padded_to_even_length(encoding: DataSetEncoding, length: int) -> None:
    out = io.BytesIO()
    writer = NativeWriter(out, tags.PIXEL_DATA, "OB", length, encoding)
    for byte in range(length):
        writer.write(bytes([byte + 1]))
    writer.finish()

    content = out.getvalue()
    value = content[12 if encoding.explicit_vr else 8 :]
    assert value == bytes(range(1, length + 1)) + bytes(length % 2)
    stated = content[8:12] if encoding.explicit_vr else content[4:8]
    assert struct.unpack(encoding.order + "I", stated) == (len(value),)


# Whole files, as pydicom reads them.


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("target", ["rle", "jpeg-ls", "encapsulated-uncompressed"])
@pytest.mark.parametrize("kind", ["multi-frame", "odd-size-frames", "gray-16"])
def test_offset_tables_are_what_was_asked_for(kind: str, target: str, table: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()

    result = convert_bytes(content, to=target, offset_table=table, verify=True)

    data_set = pydicom.dcmread(io.BytesIO(result))
    value = data_set.PixelData
    assert data_set["PixelData"].is_undefined_length
    assert data_set["PixelData"].VR == "OB"
    basic = parse_basic_offsets(value)
    fragments, positions = parse_fragments(value[8 + 4 * len(basic) :])
    assert fragments == len(samples)
    extended = None
    if table == "extended":
        extended = (data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths)
        assert data_set["ExtendedOffsetTable"].VR == "OV"
        assert struct.unpack(f"<{fragments}Q", extended[0]) == tuple(positions)
    else:
        assert "ExtendedOffsetTable" not in data_set
        assert "ExtendedOffsetTableLengths" not in data_set
    assert basic == ([] if table in {"extended", "empty"} else positions)
    frames = list(generate_frames(value, number_of_frames=fragments, extended_offsets=extended))
    with open_dicom(result) as file:
        assert file.frames.present
        found = file.frames.encapsulated
        assert found is not None
        assert found.offset_table == {"auto": "basic"}.get(table, table)
        assert file.oddities == ()
        assert [found.read(file.source, frame) for frame in range(fragments)] == frames
    assert all(len(frame) % 2 == 0 for frame in frames)
    if target == "rle":
        assert np.array_equal(np.asarray(data_set.pixel_array).reshape(samples.shape), samples)


@pytest.mark.parametrize("first", TABLES)
@pytest.mark.parametrize("second", TABLES)
def test_offset_tables_change_without_decoding(first: str, second: str) -> None:
    content, _ = IMAGE_KINDS["multi-frame"].make()
    one = convert_bytes(content, to="rle", offset_table=first)
    direct = convert_bytes(content, to="rle", offset_table=second)

    out = io.BytesIO()
    report = convert(one, out, to="rle", offset_table=second, verify=True)

    assert report.action in {"copied", "reframed"}
    assert out.getvalue() == (one if second == "auto" else direct)


def test_an_extended_offset_table_leaves_with_the_streams_it_describes() -> None:
    content, _ = IMAGE_KINDS["multi-frame"].make()
    extended = convert_bytes(content, to="rle", offset_table="extended")

    assert convert_bytes(extended, to="explicit-le")[-4000:] == content[-4000:]
    for target in ("jpeg-ls", "deflated-frame", "explicit-le"):
        with open_dicom(convert_bytes(extended, to=target)) as file:
            assert file.data_set.find(tags.EXTENDED_OFFSET_TABLE) is None
            assert file.data_set.find(tags.EXTENDED_OFFSET_TABLE_LENGTHS) is None


def test_frames_that_may_pass_32_bits_get_an_extended_offset_table() -> None:
    # The plan goes by what a header claims; the frames themselves need not be there to ask it.
    rle = find_by_name("rle")
    assert rle is not None
    tables = []
    for frames in (50_000, 70_000):  # of 64 KiB each
        content, _ = make_file(1, 1, extra=[
            (0x00280008, "IS", str(frames).encode()),
            (0x00280010, "US", struct.pack("<H", 128)), (0x00280011, "US", struct.pack("<H", 256)),
        ])  # fmt: skip
        with open_dicom(content) as file:
            assert file.frames.present
            options = ConversionOptions(to=("rle",))
            tables.append(pixel_planner.PixelPlanner(file, rle, options)._choose_table())
    assert tables == ["basic", "extended"]


def test_native_pixel_data_above_the_limit_is_refused_before_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert pixel_writer.NATIVE_LIMIT == 0xFFFFFFFE
    content, _ = IMAGE_KINDS["multi-frame"].make()
    compressed = convert_bytes(content, to="rle")
    monkeypatch.setattr(pixel_planner, "NATIVE_LIMIT", 1000)

    with pytest.raises(ConversionError, match="1000 is the most") as raised:
        convert_bytes(compressed, to="explicit-le")
    assert "encapsulated-uncompressed" in (raised.value.hint or "")
