"""Recognisers take any bytes: they never raise, and noise is never taken for pixels."""

from __future__ import annotations

import io
from array import array

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicodec import convert, inspect
from dicodec.errors import DicodecError, FrameError, TruncatedFrameError
from dicodec.model.findings import OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, find_by_name
from dicodec.part10.data_set import DataSet
from dicodec.part10.encoding import EXPLICIT_LITTLE
from dicodec.part10.source import BytesSource
from dicodec.repair import stream_kinds, streams
from dicodec.repair.image_attributes import deduce_from_length, deduce_from_stream
from helpers.odd_files import frames_of, relabelled, right, with_streams, with_value

IMAGE = ImagePixelDescription(48, 64, 1, "MONOCHROME2", 8, 8, 7, 0)
STARTS = (
    b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\0\x0b\x08\0\x30\0\x40\1\1\x11\0", b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n",
    b"\1\0\0\0\x40\0\0\0" + bytes(56), b"\x1f\x8b\x08", b"\x78\x9c",
)  # fmt: skip
ONE_SEGMENT = (1).to_bytes(4, "little") + (64).to_bytes(4, "little")
"""The beginning of an RLE header."""
NOISE = st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary(max_size=300))
SYNTAXES = st.sampled_from(
    ["", "1.2.3", *(one.uid for one in TRANSFER_SYNTAXES if one.reads and not one.deflated)]
)


@given(NOISE)
def test_any_bytes_are_one_kind_of_stream_or_none(data: bytes) -> None:
    try:
        stream = stream_kinds.describe_stream(data)
    except TruncatedFrameError:
        stream = None
    assert stream_kinds.describe_whole_stream(data) == stream
    assert stream_kinds.describe_stream_at(BytesSource(data), 0, len(data)) == stream
    if stream is not None:
        for lossless in (True, False):
            seen = stream_kinds.find_syntax_of_stream(stream, lossless=lossless)
            assert seen is None or stream_kinds.fits(stream, seen)


@given(NOISE, st.sampled_from(["jpeg", "jpeg-ls", "jpeg2000", "htj2k", "rle", None]))
def test_any_bytes_are_looked_through_for_a_stream(data: bytes, family: str | None) -> None:
    found = stream_kinds.describe_stream_after_junk(data, family, IMAGE)
    assert found is None or (found.rows, found.columns) == (48, 64)


@given(st.lists(NOISE, max_size=4))
def test_any_fragments_have_one_kind_or_none(fragments: list[bytes]) -> None:
    source = BytesSource(b"".join(fragments))
    starts, at = array("Q"), 0
    for one in fragments:
        starts.append(at)
        at += len(one)
    kind = stream_kinds.deduce_kind(source, starts, [*map(len, fragments)], IMAGE)
    assert kind in {"", "rle", "encapsulated-uncompressed", "deflated-frame"}


@given(NOISE)
def test_any_bytes_are_searched_for_tables(data: bytes) -> None:
    tables = streams.extract_tables(data)
    assert b"".join(one for _, one in streams.split_tables(tables)) == tables
    streams.add_tables(data, tables)


@given(NOISE, st.sampled_from(["jpeg", "jpeg-ls", "jpeg2000", "htj2k"]))
def test_any_bytes_are_mended_or_refused(data: bytes, kind: str) -> None:
    def decode(stream: bytes) -> bytes:
        raise TruncatedFrameError("noise")

    mender = streams.StreamMender(kind, b"", decode)
    try:
        mended = mender(data)
    except FrameError:
        return
    assert mended.endswith(b"\xff\xd9")


@settings(deadline=None)
@given(NOISE, SYNTAXES)
@example(STARTS[7] + bytes(4000), "1.2.3")
def test_noise_in_a_fragment_never_becomes_pixels(data: bytes, uid: str) -> None:
    if uid == "1.2.840.10008.1.2.1.98":  # where any bytes of the right number are pixels
        return
    content = relabelled(with_streams(right("gray-8", "rle"), [data]), uid)
    try:
        inspect(content)
        report = convert(content, io.BytesIO(), to="explicit-le")
    except DicodecError:
        return
    assert not data, "decoded"
    assert report.frames == 0


@settings(deadline=None)
@given(NOISE, SYNTAXES)
def test_noise_as_the_value_never_becomes_pixels(data: bytes, uid: str) -> None:
    content = relabelled(with_value(right("gray-8", "explicit-le"), data), uid)
    try:
        inspect(content)
        report = convert(content, io.BytesIO(), to="rle")
    except DicodecError:
        return
    if data.startswith(ONE_SEGMENT):  # noise that is a whole frame of RLE, without a fragment
        assert OddityId.STREAM_WITHOUT_ITEMS in {one.id for one in report.oddities}
        return
    assert not data, "decoded"
    assert report.frames == 0  # nothing is a header without pixels


@given(st.integers(0, 1 << 32), st.binary(max_size=30))
def test_any_length_of_a_data_set_without_attributes_says_nothing(length: int, data: bytes) -> None:
    data_set = DataSet(BytesSource(data), EXPLICIT_LITTLE, [])

    assert deduce_from_length(data_set, length) == {}
    stream = StreamDescription("jpeg", "baseline sequential DCT", 5, 7, 1, 8)
    known = deduce_from_stream(data_set, stream)
    assert list(known.values()) == [5, 7, 1, 8, 8]


def test_flipped_bytes_of_a_header_are_named_or_refused_but_never_raise_else() -> None:
    for syntax in ("jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "rle",
                   "jpegxl-lossless"):  # fmt: skip
        row = find_by_name(syntax)
        assert row is not None
        content = right("gray-8", syntax)
        stream = frames_of(content)[0]
        for at in range(min(len(stream), 48)):
            damaged = stream[:at] + bytes((stream[at] ^ 0x15,)) + stream[at + 1 :]
            try:
                inspect(with_streams(content, [damaged]))
            except DicodecError:
                continue
