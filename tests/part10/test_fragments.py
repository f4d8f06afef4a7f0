"""Which fragments make up each frame: offset tables right, wrong and none (PS3.5 A.4)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import (
    ContradictionError,
    MalformedFileError,
    MissingFrameError,
    ReadError,
    TruncatedFileError,
    TruncatedFrameError,
)
from dicodec.model.limits import Limits
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.fragments import (
    EncapsulatedFrames,
    assign_fragments,
    make_basic_offset_table,
    make_offsets,
)
from dicodec.part10.frames import Frames
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import data_set_of, marker
from helpers.made import Samples, encapsulated, make_file

RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"
UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
SOI = b"\xff\xd8\xff\xf7"

Fragments = Sequence[bytes]


def frames_in(
    fragments: Fragments,
    number_of_frames: int,
    *,
    table: bytes = b"",
    per_frame: int = 0,
    extended: tuple[bytes, bytes] | None = None,
) -> tuple[EncapsulatedFrames, list[bytes]]:
    """Return the frames found and what is read of each."""
    content = b""
    starts, lengths = array("Q"), array("Q")
    for value in (table, *fragments):
        content += marker(0xFFFEE000, len(value))
        starts.append(len(content))
        lengths.append(len(value))
        content += value
    source = BytesSource(content)
    found = assign_fragments(source, starts, lengths, number_of_frames, per_frame, extended)
    return found, [found.read(source, frame) for frame in range(len(found))]


def offsets_of(fragments: Fragments, firsts: Sequence[int], code: str = "I") -> bytes:
    lengths = [8 + len(fragment) for fragment in fragments]
    return b"".join(struct.pack("<" + code, sum(lengths[:first])) for first in firsts)


def ids(found: EncapsulatedFrames) -> list[str]:
    return [oddity.id for oddity in found.oddities]


PIECES = [SOI + b"a1", b"a2", SOI + b"b1", b"b2b2", SOI + b"c1"]
FIRSTS = [0, 2, 4]
JOINED = [SOI + b"a1a2", SOI + b"b1b2b2", SOI + b"c1"]


@pytest.mark.parametrize("per_frame", [0, 1])
def test_a_right_basic_offset_table_tells_the_frames(per_frame: int) -> None:
    plain = [b"aa", b"bb", b"cccc", b"dd", b"ee"]  # no markers to go by
    found, frames = frames_in(plain, 3, table=offsets_of(plain, FIRSTS), per_frame=per_frame)

    assert frames == [b"aabb", b"ccccdd", b"ee"]
    assert (found.offset_table, ids(found)) == ("basic", [])
    assert [found.measure_frame(frame) for frame in range(3)] == [4, 6, 2]
    assert found.measure_all() == 12


def test_an_extended_offset_table_tells_the_frames() -> None:
    fragments = [b"aa", b"bbbb", b"cc"]
    table = offsets_of(fragments, [0, 1, 2], "Q")
    found, frames = frames_in(fragments, 3, extended=(table, struct.pack("<3Q", 2, 4, 2)))

    assert frames == fragments
    assert (found.offset_table, ids(found)) == ("extended", [])


@pytest.mark.parametrize(
    ("lengths", "right"),
    [((2, 4, 2), True), ((2, 3, 1), True), ((2, 4, 3), False), ((2, 4), False), ((), False)],
)
def test_extended_lengths_that_are_wrong_are_noted(lengths: tuple[int, ...], right: bool) -> None:
    fragments = [b"aa", b"bbbb", b"cc"]
    table = offsets_of(fragments, [0, 1, 2], "Q")
    found, frames = frames_in(
        fragments, 3, extended=(table, struct.pack(f"<{len(lengths)}Q", *lengths))
    )

    assert frames == fragments
    assert ids(found) == ([] if right else ["wrong-offset-table-lengths"])


def test_an_extended_offset_table_over_several_fragments_a_frame_is_odd() -> None:
    table = offsets_of(PIECES, FIRSTS, "Q")
    found, frames = frames_in(PIECES, 3, extended=(table, bytes(24)))

    assert frames == JOINED
    assert ids(found) == ["extended-offset-table-fragments"]


def test_without_table_frames_are_told_by_number_and_by_markers() -> None:
    assert frames_in([b"aa", b"bb"], 2)[1] == [b"aa", b"bb"]
    assert frames_in([b"aa", b"bb"], 1)[1] == [b"aabb"]
    found, frames = frames_in(PIECES, 3)
    assert (frames, found.offset_table, ids(found)) == (JOINED, "empty", [])


WRONG_TABLES = {
    "first offset not 0": struct.pack("<3I", 14, 24, 30),
    "between items": struct.pack("<3I", 0, 15, 30),
    "behind the end": struct.pack("<3I", 0, 24, 9999),
    "falling": struct.pack("<3I", 0, 50, 24),
    "twice the same": struct.pack("<3I", 0, 24, 24),
    "too few": struct.pack("<2I", 0, 24),
    "too many": struct.pack("<4I", 0, 24, 50, 60),
    "all zero": bytes(12),
    "all ones": b"\xff" * 12,
    "not a multiple of four": b"\0\0\0\0\x18\0",
    "one entry of three": bytes(4),
}


@pytest.mark.parametrize("table", WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_wrong_basic_offset_table_is_noted_and_not_believed(table: bytes) -> None:
    found, frames = frames_in(PIECES, 3, table=table)

    assert (frames, ids(found)) == (JOINED, ["wrong-offset-table"])


@pytest.mark.parametrize(
    "table", [bytes(24), b"\xff" * 24, struct.pack("<3Q", 0, 1 << 40, 1 << 63)]
)
def test_a_wrong_extended_offset_table_is_noted_and_not_believed(table: bytes) -> None:
    found, frames = frames_in(PIECES, 3, extended=(table, bytes(24)))

    assert (frames, ids(found)) == (JOINED, ["wrong-offset-table"])


def test_fragments_that_no_rule_assigns_are_not_told_apart() -> None:
    found, frames = frames_in([b"aa"] * 5, 3)

    assert not found.told_apart
    assert len(frames) == 5


@pytest.mark.parametrize("number", [2, 9])
def test_where_a_frame_is_one_fragment_their_number_is_that_of_the_frames(number: int) -> None:
    found, frames = frames_in([b"aa"] * 5, number, per_frame=1)

    assert len(frames) == 5
    assert ids(found) == ["wrong-number-of-frames"]


def test_fragments_that_each_begin_a_stream_are_not_one_frame() -> None:
    found, frames = frames_in([SOI + b"1", SOI + b"2"], 1)

    assert len(frames) == 2
    assert ids(found) == ["wrong-number-of-frames"]


def test_pixel_data_without_any_item_is_refused() -> None:
    with pytest.raises(MalformedFileError, match="no items"):
        assign_fragments(BytesSource(b""), array("Q"), array("Q"), 1, 1, None)


def test_a_frame_that_is_not_there_is_named() -> None:
    found, _ = frames_in([b"aa", b"bb"], 2)
    for frame in (-1, 2):
        with pytest.raises(MissingFrameError) as raised:
            found.read(BytesSource(b""), frame)
        assert raised.value.frame == frame


@given(
    st.lists(st.binary(max_size=9), max_size=8),
    st.integers(1, 9),
    st.binary(max_size=40),
    st.integers(0, 1),
    st.none() | st.tuples(st.binary(max_size=80), st.binary(max_size=80)),
)
def test_any_tables_give_frames_of_all_fragments_or_are_refused(
    fragments: list[bytes], number: int, table: bytes, per_frame: int,
    extended: tuple[bytes, bytes] | None,
) -> None:  # fmt: skip
    try:
        found, frames = frames_in(
            fragments, number, table=table, per_frame=per_frame, extended=extended
        )
    except ReadError:
        return
    assert b"".join(frames) == b"".join(fragments)
    assert ids(found) != [] or len(frames) == number


@given(st.lists(st.integers(0, 1 << 33).map(lambda half: 2 * half), max_size=8))
def test_offset_tables_count_item_headers(lengths: list[int]) -> None:
    offsets = make_offsets(lengths)

    assert offsets == [sum(lengths[:frame]) + 8 * frame for frame in range(len(lengths))]
    fits = not offsets or offsets[-1] <= 0xFFFFFFFF
    table = make_basic_offset_table(lengths)
    assert table == (struct.pack(f"<{len(offsets)}I", *offsets) if fits else None)


# Whole files.


def frames_of(content: bytes, limits: Limits | None = None) -> tuple[Frames, list[str]]:
    with open_dicom(content, limits or Limits()) as file:
        assert file.frames.present
        return file.frames, [oddity.id for oddity in file.oddities]


def image(frames: int, fragments_per_frame: int = 1) -> tuple[bytes, Samples, list[list[bytes]]]:
    """Return a file of frames in plain fragments, its samples, and the fragments."""
    _, samples = make_file(6, 8, bits_allocated=8, bits_stored=8, frames=frames)
    cut = 48 // fragments_per_frame
    streams = [
        [frame.tobytes()[at : at + cut] for at in range(0, 48, cut)]
        for frame in samples.astype("u1")
    ]
    content, _ = make_file(
        6, 8, bits_allocated=8, bits_stored=8, frames=frames, pixels=samples,
        transfer_syntax=UNCOMPRESSED, streams=streams,
    )  # fmt: skip
    return content, samples, streams


def native_samples(content: bytes, shape: tuple[int, ...]) -> Samples:
    native = convert_bytes(content, to="explicit-le")
    with open_dicom(native) as file:
        assert file.frames.present
        value = file.data_set.read_value(file.frames.span.tag)
    return np.frombuffer(value or b"", "u1").reshape(shape)


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("fragments", [1, 2, 3])
@pytest.mark.parametrize("offset_table", [True, False])
def test_frames_of_many_fragments_are_joined(
    frames: int, fragments: int, offset_table: bool
) -> None:
    content, samples, streams = image(frames, fragments)
    with_table, without = encapsulated(streams), encapsulated(streams, offset_table=False)
    assert content.endswith(with_table)
    if not offset_table:
        content = content.removesuffix(with_table) + without

    assert (native_samples(content, samples.shape) == samples).all()


@pytest.mark.parametrize("offset_table", [True, False])
def test_more_whole_fragments_than_frames_are_frames(offset_table: bool) -> None:
    content, samples, streams = image(3)
    added = encapsulated([*streams, streams[0]], offset_table=offset_table)
    four = content.removesuffix(encapsulated(streams)) + added
    expected = np.concatenate([samples, samples[:1]])

    for target in ("explicit-le", "encapsulated-uncompressed"):
        result = convert_bytes(four, to=target, verify=True)
        assert (native_samples(result, expected.shape) == expected).all()
    with pytest.raises(ContradictionError, match="NumberOfFrames is 3; by its streams it is 4"):
        convert_bytes(four, to="explicit-le", strict=True)


def test_more_fragments_than_frames_that_are_no_frames_are_refused() -> None:
    content, _, streams = image(3)
    four = content.removesuffix(encapsulated(streams)) + encapsulated([*streams, [b"else"]])

    with pytest.raises(MalformedFileError, match="NumberOfFrames is 3, Pixel Data holds 4 frames"):
        convert_bytes(four, to="explicit-le")
    with pytest.raises(MalformedFileError):
        convert_bytes(four, to="encapsulated-uncompressed")


def test_fewer_frames_are_right_where_the_offset_table_has_no_more() -> None:
    content, samples, streams = image(3)
    two = content.removesuffix(encapsulated(streams)) + encapsulated(streams[:2])

    result = convert_bytes(two, to="explicit-le", verify=True)

    assert (native_samples(result, samples[:2].shape) == samples[:2]).all()


def test_fewer_fragments_than_frames_are_refused() -> None:
    content, _, streams = image(3)
    fragments = encapsulated(streams[:2], offset_table=False)
    two = content.removesuffix(encapsulated(streams)) + fragments

    for target in ("explicit-le", "encapsulated-uncompressed", "rle"):
        with pytest.raises(MissingFrameError) as raised:
            convert_bytes(two, to=target)
        assert raised.value.frame == 2


def test_a_missing_delimiter_loses_nothing() -> None:
    content, samples, _ = image(3)
    cut = content[:-8]

    assert frames_of(cut)[1] == ["no-delimiter"]
    assert (native_samples(cut, samples.shape) == samples).all()
    mended = convert_bytes(cut, to="encapsulated-uncompressed")
    assert mended[-200:] == content[-200:]
    for rest in range(1, 8):  # a part of the delimiter is as good as none
        assert (native_samples(content[:-rest], samples.shape) == samples).all()


@pytest.mark.parametrize("target", ["encapsulated-uncompressed", "explicit-le", "rle"])
@pytest.mark.parametrize("missing", [1, 2, 47, 48, 52])
def test_a_last_fragment_that_is_cut_is_never_taken_for_whole(missing: int, target: str) -> None:
    content, _, _ = image(3)
    cut = content[: -8 - missing]

    with pytest.raises((TruncatedFrameError, MissingFrameError)) as raised:
        convert_bytes(cut, to=target)

    assert raised.value.frame == 2


def test_cut_streams_of_a_compressed_syntax_are_refused_even_where_they_are_only_moved() -> None:
    native, _ = make_file(16, 16, frames=3)
    for name in ("rle", "jpeg-ls", "jpeg2000-lossless"):
        content = convert_bytes(native, to=name)
        for missing in (9, 10, 30):
            with pytest.raises(TruncatedFrameError) as raised:
                convert_bytes(content[:-missing], to=name)
            assert raised.value.frame == 2


def test_the_number_of_fragments_is_bounded() -> None:
    content, _, _ = image(5)

    with pytest.raises(ReadError, match="too many fragments"):
        frames_of(content, Limits(fragments=4))


def test_pixels_that_nobody_can_describe_are_not_moved_where_some_are_missing() -> None:
    mpeg, _ = make_file(
        8, 8, frames=2, transfer_syntax="1.2.840.10008.1.2.4.100", streams=[[b"video" * 9]]
    )
    neither = [(tag, "US", bytes(2)) for tag in (0x00280010, 0x00280011)]
    native, _ = make_file(8, 8, extra=neither)  # Rows and Columns are 0

    assert convert_bytes(mpeg, to="1.2.840.10008.1.2.4.100") == mpeg
    for content, target in ((mpeg[:-10], "1.2.840.10008.1.2.4.100"), (native[:-1], "implicit-le")):
        with pytest.raises(TruncatedFileError, match="bytes before its Pixel Data does"):
            convert_bytes(content, to=target)
    there_and_back = convert_bytes(convert_bytes(native, to="implicit-le"), to="explicit-le")
    assert data_set_of(there_and_back) == data_set_of(native)
