"""RLE with more than its segments, deflated frames in wrappers: read as what is inside."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable

import pytest

from dicodec import convert_bytes
from dicodec.codecs.streams import rle
from dicodec.errors import FrameError, FrameMismatchError
from helpers.odd_files import (
    check_streams,
    found,
    frames_of,
    right,
    right_samples,
    same,
    samples_of,
    with_streams,
)

KINDS = ["gray-8", "gray-12-in-16", "rgb-8", "rgb-16", "gray-32", "one-bit", "multi-frame"]
REST = {
    "a blank": b" ",
    "part of a run": b"\x20\x41",
    "a long run's start": b"\x7f\x01\x02",
    "a replicate run": b"\x81\x05",
    "many": b"\x20\x41\x00\x7f" * 3000,
    "nothing codes": b"\x80" * 40,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", REST)
def test_whatever_follows_the_last_segment(kind: str, rest: str) -> None:
    content = right(kind, "rle")
    wrong = with_streams(content, [one + REST[rest] for one in frames_of(content)])

    assert same(samples_of(wrong), right_samples(kind, "rle"))


@pytest.mark.parametrize("kind", ["gray-12-in-16", "rgb-8", "multi-frame"])
def test_whatever_follows_any_segment(kind: str) -> None:
    streams = []
    for stream in frames_of(right(kind, "rle")):
        offsets, body, at = [], b"", 64
        for start, end in rle.find_segments(stream):
            offsets.append(at)
            part = stream[start:end] + b"\x20\x41\x33\x7f"
            body, at = body + part, at + len(part)
        header = struct.pack("<16I", len(offsets), *offsets, *[0] * (15 - len(offsets)))
        streams.append(header + body)

    assert same(samples_of(with_streams(right(kind, "rle"), streams)), right_samples(kind, "rle"))


@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "rgb-8"])
def test_a_segment_that_is_cut_is_refused_whatever_follows(kind: str) -> None:
    content = right(kind, "rle")
    stream = frames_of(content)[0]
    for cut in (3, 9, 40):
        with pytest.raises(FrameError):
            convert_bytes(with_streams(content, [stream[:-cut]]), to="explicit-le")


def with_spare(stream: bytes, spare: list[int], *, counted: bool, more: bytes = b"") -> bytes:
    count, *offsets = struct.unpack_from("<16I", stream)
    offsets[count : count + len(spare)] = spare
    count += len(spare) if counted else 0
    return struct.pack("<16I", count, *offsets) + stream[64:] + more


@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "rgb-8", "multi-frame"])
@pytest.mark.parametrize("spare", ["zero", "the last", "behind", "empty", "short"])
def test_spare_rle_segments(kind: str, spare: str) -> None:
    content = right(kind, "rle")
    streams = []
    for stream in frames_of(content):
        last = rle.find_segments(stream)[-1][0]
        offset = {"zero": 0, "the last": last, "behind": len(stream) + 2}.get(spare, len(stream))
        more = b"\xfe\0\0\0" if spare in {"empty", "short"} else b""
        streams.append(with_spare(stream, [offset], counted=True, more=more))
    check_streams(with_streams(content, streams), "spare-rle-segments", kind, "rle")


def test_offsets_that_are_not_counted() -> None:
    content = right("rgb-8", "rle")
    streams = [with_spare(one, [17, 99], counted=False) for one in frames_of(content)]
    check_streams(with_streams(content, streams), "spare-rle-segments", "rgb-8", "rle")


def test_spare_segments_that_hold_planes_are_of_another_image() -> None:
    content = right("gray-8", "rle")
    stream = frames_of(content)[0]
    plane = stream[64:]
    wrong = with_streams(content, [with_spare(stream, [len(stream)], counted=True, more=plane)])
    for to in ("explicit-le", "deflated-frame"):
        with pytest.raises(FrameMismatchError, match="2 segments, the image needs 1"):
            convert_bytes(wrong, to=to)


def as_zlib(raw: bytes) -> bytes:
    return zlib.compress(zlib.decompress(raw, -15))


def as_gzip(raw: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("frame.raw", "wb", 9, out) as file:
        file.write(zlib.decompress(raw, -15))
    return out.getvalue()


def as_full_gzip(raw: bytes) -> bytes:
    """Return a gzip stream whose header has all that it may have (RFC 1952 2.3)."""
    plain = as_gzip(raw)
    header = plain[:3] + bytes([2 | 4 | 8 | 16]) + plain[4:10] + b"\3\0abc" + b"name\0comment\0"
    check = (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    return header + check + plain[plain.index(b"\0", 10) + 1 :]


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": as_zlib,
    "zlib, fast": lambda raw: zlib.compress(zlib.decompress(raw, -15), 1),
    "zlib, stored": lambda raw: zlib.compress(zlib.decompress(raw, -15), 0),
    "gzip": as_gzip,
    "gzip, all fields": as_full_gzip,
}


@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "rgb-8", "one-bit", "multi-frame"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_deflated_frames_in_wrappers(kind: str, wrapper: str) -> None:
    content = right(kind, "deflated-frame")
    streams = [WRAPPERS[wrapper](one) for one in frames_of(content)]
    for pad in (b"", b"\0\0"):
        wrong = with_streams(content, [one + pad for one in streams])
        check_streams(wrong, "wrapped-deflate", kind, "deflated-frame")


def test_a_later_frame_may_be_wrapped_alone() -> None:
    content = right("multi-frame", "deflated-frame")
    streams = frames_of(content)
    streams[3] = as_zlib(streams[3])
    wrong = with_streams(content, streams)
    check_streams(wrong, "wrapped-deflate", "multi-frame", "deflated-frame")


def test_raw_frames_are_not_taken_for_wrapped_ones() -> None:
    assert found(right("multi-frame", "deflated-frame")) == []
    assert found(right("gray-8", "deflated-frame")) == []


@pytest.mark.parametrize("wrapper", ["zlib", "gzip"])
def test_a_wrapped_frame_that_is_damaged_is_refused(wrapper: str) -> None:
    content = right("gray-12-in-16", "deflated-frame")
    stream = WRAPPERS[wrapper](frames_of(content)[0])
    middle = len(stream) // 2
    flipped = stream[:middle] + bytes([stream[middle] ^ 8]) + stream[middle + 1 :]
    for wrong in (stream[:-6], stream[:middle], flipped, stream[:-2] + b"\1\2"):
        with pytest.raises(FrameError):
            convert_bytes(with_streams(content, [wrong]), to="explicit-le")
    longer = zlib.compress(bytes(48 * 64 * 2 + 4))
    with pytest.raises(FrameError):
        convert_bytes(with_streams(content, [longer]), to="explicit-le")
