"""Streams with bytes before or after them, without an end, in boxes, without tables."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest

from dicodec import convert_bytes, inspect
from dicodec.codecs.base import Decoder
from dicodec.codecs.streams import jpeg2000, rle
from dicodec.codecs.table import find_decoder
from dicodec.errors import FrameError, MalformedFileError
from dicodec.model.transfer_syntax import find_by_name
from dicodec.part10.dicom_file import open_dicom
from dicodec.repair import streams
from dicodec.repair.streams import HUFFMAN
from helpers.made import IMAGE_KINDS, encapsulated, make_file
from helpers.odd_files import (
    PIXEL_DATA,
    check_streams,
    found,
    frames_of,
    right,
    right_samples,
    same,
    samples_of,
    with_streams,
)

EOI = b"\xff\xd9"
ENDED = [
    ("gray-8", "jpeg"), ("gray-12-in-16", "jpeg-extended"), ("rgb-8", "jpeg"),
    ("gray-12-in-16", "jpeg-lossless"), ("rgb-8", "jpeg-lossless"),
    ("gray-12-in-16", "jpeg-ls"), ("rgb-8", "jpeg-ls"), ("gray-8", "jpeg-ls-near"),
    ("gray-12-in-16", "jpeg2000-lossless"), ("rgb-8", "jpeg2000"),
    ("gray-12-in-16", "htj2k-lossless"), ("multi-frame", "jpeg-lossless"),
    ("multi-frame", "jpeg-ls"), ("multi-frame", "jpeg2000-lossless"),
]  # fmt: skip
"""Kinds of streams that have an end marker."""


def codec_for(name: str) -> Decoder:
    syntax = find_by_name(name)
    assert syntax is not None
    return find_decoder(syntax)


def bare(stream: bytes) -> bytes:
    return stream[: stream.rindex(EOI) + 2]


@pytest.mark.parametrize(("kind", "syntax"), ENDED)
@pytest.mark.parametrize("junk", [b"\0\0", b"ab\xff\xd9", bytes(301)])
def test_bytes_before_a_stream(kind: str, syntax: str, junk: bytes) -> None:
    content = right(kind, syntax)
    check_streams(
        with_streams(content, [junk + one for one in frames_of(content)]),
        "junk-before-stream", kind, syntax,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "syntax"), ENDED)
@pytest.mark.parametrize("rest", [b"\0\0\0", b"behind it", b"\xff\xff\xff\xff"])
def test_bytes_behind_a_stream(kind: str, syntax: str, rest: bytes) -> None:
    content = right(kind, syntax)
    check_streams(
        with_streams(content, [bare(one) + rest for one in frames_of(content)]),
        "bytes-after-stream", kind, syntax,
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "syntax"), ENDED)
def test_a_stream_whose_end_marker_alone_is_missing(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    wrong = with_streams(content, [bare(one)[:-2] for one in frames_of(content)])
    if any(bare(one).endswith(b"\0" + EOI) for one in frames_of(content)):
        with pytest.raises(FrameError):  # a zero may be the pad byte where a byte was cut off
            convert_bytes(wrong, to="explicit-le")
        return
    check_streams(wrong, "no-end-marker", kind, syntax)


@pytest.mark.parametrize(("kind", "syntax"), ENDED)
def test_a_stream_that_lacks_more_than_its_end_is_refused(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    expected = right_samples(kind, syntax)
    stored = [bare(one) for one in frames_of(content)]
    refused = 0
    for missing in (3, 4, 5, 6, 8, 11, 16, 40, 100, len(stored[0]) // 2):
        wrong = with_streams(content, [*stored[:-1], stored[-1][:-missing]])
        for to in ("explicit-le", syntax):
            try:
                result = convert_bytes(wrong, to=to)
            except FrameError:
                refused += 1
            else:  # the last bytes told nothing of the pixels
                assert same(samples_of(result), expected), (missing, to)
    assert refused >= 14


def test_the_proof_of_a_whole_stream_holds_for_every_cut() -> None:
    samples = np.random.default_rng(5).integers(0, 256, (24, 24), np.uint8)
    content, _ = make_file(24, 24, bits_allocated=8, bits_stored=8, pixels=samples[np.newaxis])
    with open_dicom(content) as file:
        assert file.frames.present
        image = file.frames.image
    for syntax in ("jpeg", "jpeg-extended", "jpeg-lossless", "jpeg-ls", "jpeg-ls-near"):
        compressed = convert_bytes(content, to=syntax, lossy=True)
        stream = bare(frames_of(compressed)[0])[:-2]
        decoder = codec_for(syntax)

        def decode(one: bytes, decoder: Decoder = decoder) -> bytes:
            return decoder.decode(one, image).tobytes()

        mender = streams.StreamMender(decoder.describe(stream).kind, b"", decode)
        expected = decode(stream + EOI)
        assert decode(mender(stream)) == expected
        for missing in range(1, 200):
            try:
                ended = mender(stream[:-missing])
            except FrameError:
                continue
            assert decode(ended) == expected, (syntax, missing)


@pytest.mark.parametrize(("kind", "syntax"), [one for one in ENDED if "2000" in one[1]])
def test_a_codestream_in_boxes(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    boxed = []
    for stream in frames_of(content):
        signature = b"\0\0\0\x0cjP  \r\n\x87\n"
        codestream = bare(stream)
        head = struct.pack(">I", 8 + 12) + b"ftypjp2 \0\0\0\0jp2 "
        boxed.append(
            signature + head + struct.pack(">I", 8 + len(codestream)) + b"jp2c" + codestream
        )
    check_streams(with_streams(content, boxed), "boxed-codestream", kind, syntax)


def without_segments(stream: bytes, *markers: int) -> bytes:
    """Return a JPEG stream without marker segments of these kinds."""
    kept, at = stream[:2], 2
    while stream[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", stream, at + 2)
        if stream[at + 1] not in markers:
            kept += stream[at : at + 2 + length]
        at += 2 + length
    return kept + stream[at:]


@pytest.mark.parametrize("kind", ["gray-8", "rgb-8"])
def test_motion_jpeg_leaves_the_usual_huffman_tables_out(kind: str) -> None:
    content = right(kind, "jpeg")
    stored = frames_of(content)
    left_out = [without_segments(one, 0xC4) for one in stored]

    assert all(HUFFMAN[:33] in one and HUFFMAN[33:100] in one for one in stored)
    check_streams(with_streams(content, left_out), "no-huffman-tables", kind, "jpeg")


def test_other_tables_than_the_usual_ones_are_not_made_up() -> None:
    content = right("gray-8", "jpeg")
    samples = right_samples("gray-8", "jpeg")[0]
    optimized = bytes(imagecodecs.jpeg8_encode(samples, 90, optimize=True))
    wrong = with_streams(content, [without_segments(optimized, 0xC4)])

    assert HUFFMAN[:33] not in optimized
    for to in ("explicit-le", "jpeg"):
        with pytest.raises(FrameError, match="is not of the usual ones"):
            convert_bytes(wrong, to=to)


def test_missing_quantization_tables_are_an_error() -> None:
    content = right("gray-8", "jpeg")
    wrong = with_streams(content, [without_segments(one, 0xDB) for one in frames_of(content)])

    with pytest.raises(FrameError):
        convert_bytes(wrong, to="explicit-le")


def test_tables_in_a_stream_of_their_own() -> None:
    kind = IMAGE_KINDS["rgb-8-frames"]
    content = right(kind.name, "jpeg")
    stored = frames_of(content)
    only = without_segments(stored[0], 0xC0, 0xE0, 0xEE)
    tables = only[: only.index(b"\xff\xda")] + EOI
    abbreviated = [without_segments(one, 0xC4, 0xDB) for one in stored]

    check_streams(
        with_streams(content, [tables, *abbreviated]), "tables-only-stream", kind.name, "jpeg"
    )


def test_fragments_of_odd_length() -> None:
    content = right("gray-8", "jpeg-ls")
    stream = bare(frames_of(content)[0])
    odd = stream if len(stream) % 2 else stream + b"\0"
    padded = with_streams(content, [odd])
    length = struct.pack("<I", len(odd))
    wrong = padded.replace(struct.pack("<I", len(odd) + 1) + odd + b"\0", length + odd)

    assert len(wrong) == len(padded) - 1
    check_streams(wrong, "odd-fragment", "gray-8", "jpeg-ls")


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("frame", [0, 2, 4])
@pytest.mark.parametrize("length", [0, 1])
def test_fragments_with_a_byte_more_than_they_say(frame: int, length: int, *, table: bool) -> None:
    """The byte is the stream's last one, or its padding."""
    content = right("multi-frame", "jpeg-ls")
    streams = [bare(one) for one in frames_of(content)]
    streams[frame] += b"\0" * (len(streams[frame]) % 2 ^ length)  # more padding if need be
    whole = with_streams(content, streams, offset_table=table)
    size = len(streams[frame]) + length
    item = struct.pack("<HHI", 0xFFFE, 0xE000, size) + streams[frame]
    assert whole.count(item) == 1
    wrong = whole.replace(item, item[:4] + struct.pack("<I", size - 1) + item[8:])

    check_streams(wrong, "short-fragment", "multi-frame", "jpeg-ls")


def test_what_follows_a_fragment_is_believed_one_byte_further_only() -> None:
    content = right("multi-frame", "jpeg-ls")
    start = content.index(PIXEL_DATA)
    streams = [bare(one) for one in frames_of(content)]
    for stray in (b"\0\0", b"\0\0\0"):
        between = encapsulated([[one] for one in streams])
        at = between.rindex(struct.pack("<HH", 0xFFFE, 0xE000))
        with pytest.raises(MalformedFileError, match="expected a fragment"):
            inspect(content[:start] + between[:at] + stray + between[at:])


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("place", ["before", "within", "after"])
@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        ("gray-8", "jpeg"), ("gray-12-in-16", "jpeg-ls"), ("multi-frame", "jpeg2000-lossless"),
        ("multi-frame", "rle"), ("gray-12-in-16", "encapsulated-uncompressed"),
    ],
)  # fmt: skip
def test_fragments_without_bytes(kind: str, syntax: str, place: str, table: bool) -> None:
    content = right(kind, syntax)
    whole = [one + b"\0" * (len(one) % 2) for one in frames_of(content)]
    fragments = {
        "before": [[b"", one] for one in whole],
        "within": [[one[:20], b"", one[20:]] for one in whole],
        "after": [[one, b""] for one in whole],
    }[place]
    if place == "within" and syntax in {"rle", "encapsulated-uncompressed"}:
        fragments = [[b"", one, b""] for one in whole]  # one fragment a frame (PS3.5 A.4)
    start = content.index(PIXEL_DATA)
    wrong = content[:start] + encapsulated(fragments, offset_table=table)

    check_streams(wrong, "empty-fragment", kind, syntax)


def test_a_frame_of_no_bytes_is_no_other_frame() -> None:
    content = right("multi-frame", "jpeg-ls")
    first, *others = frames_of(content)

    with pytest.raises(FrameError) as raised:
        convert_bytes(with_streams(content, [first, b"", *others[1:]]), to="explicit-le")

    assert raised.value.frame == 1


def laid_out(stream: bytes, order: list[int], pad: int, base: int) -> bytes:
    """Return an RLE frame with its segments in another order, unpadded or otherwise odd."""
    parts = [
        stream[start:end].rstrip(b"\0") + b"\0" * pad for start, end in rle.find_segments(stream)
    ]
    offsets = [0] * len(parts)
    body = b""
    for index in order:
        offsets[index] = base + len(body)
        body += parts[index]
    return struct.pack("<16I", len(parts), *offsets, *[0] * (15 - len(parts))) + body


@pytest.mark.parametrize("kind", ["gray-12-in-16", "rgb-8", "multi-frame"])
def test_rle_segments_that_lie_elsewhere(kind: str) -> None:
    content = right(kind, "rle")
    stored = frames_of(content)
    count = len(rle.find_segments(stored[0]))
    forward, backward = list(range(count)), list(reversed(range(count)))

    for order, base in ((forward, 0), (backward, 64), (backward, 0)):
        wrong = with_streams(content, [laid_out(one, order, 2, base) for one in stored])
        check_streams(wrong, "wrong-rle-offsets", kind, "rle")


def test_rle_segments_of_odd_length() -> None:
    samples = np.arange(47 * 33, dtype=np.uint16).reshape(1, 33, 47) % 1000
    content, _ = make_file(33, 47, pixels=samples)
    compressed = convert_bytes(content, to="rle")
    for pad in (0, 1, 3):
        stream = laid_out(frames_of(compressed)[0], [0, 1], pad, 64)
        wrong = with_streams(compressed, [stream])
        odd = rle.find_segments(stream)[1][0] % 2
        assert ("unpadded-rle-segments" in found(wrong)) == bool(odd)
        assert same(samples_of(wrong), samples)


@pytest.mark.parametrize("rest", [b"\0" * 2, b"\0" * 9001, b"\x80" * 40])
def test_bytes_behind_the_last_rle_segment(rest: bytes) -> None:
    content = right("gray-12-in-16", "rle")
    wrong = with_streams(content, [one + rest for one in frames_of(content)])

    assert same(samples_of(wrong), right_samples("gray-12-in-16", "rle"))


def test_a_codestream_says_how_many_tile_parts_it_has() -> None:
    stream = bare(frames_of(right("gray-12-in-16", "htj2k-lossless"))[0])
    at = stream.index(b"\xff\x90")

    assert jpeg2000.has_all_announced_tile_parts(stream)
    assert not jpeg2000.has_all_announced_tile_parts(
        stream[: at + 11] + b"\x63" + stream[at + 12 :]
    )
