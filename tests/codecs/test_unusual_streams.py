"""Sound streams with rare things in them: DNL, two SOI, mapping tables, markers without segment."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec import convert, convert_bytes
from dicodec.codecs.streams import jpeg, jpeg2000
from dicodec.errors import CorruptFrameError, DicodecError, FrameError, UnsupportedSourceError
from helpers.codec_images import Samples, lossless_jpeg
from helpers.made import IMAGE_KINDS, make_file
from helpers.odd_files import found, frames_of, samples_of

ROOT = "1.2.840.10008.1.2.4."
GRAY = IMAGE_KINDS["gray-8"].make()[1][0]
DEEP = IMAGE_KINDS["gray-12-in-16"].make()[1][0]
COLOR = IMAGE_KINDS["rgb-8"].make()[1][0]


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def file_of(syntax: str, streams: list[bytes], samples: Samples, bits: int = 0) -> bytes:
    color = samples.ndim == 3
    allocated = 8 * samples.dtype.itemsize
    return make_file(
        samples.shape[0], samples.shape[1], 3 if color else 1, allocated, bits or allocated,
        photometric="RGB" if color else "MONOCHROME2", frames=len(streams),
        transfer_syntax=ROOT + syntax, streams=[[one] for one in streams],
    )[0]  # fmt: skip


def dct(samples: Samples, **chosen: Any) -> bytes:
    space = "GRAYSCALE" if samples.ndim == 2 else "RGB"
    return bytes(
        imagecodecs.jpeg8_encode(samples, 95, colorspace=space, outcolorspace=space, **chosen)
    )


def jpeg_ls(samples: Samples, near: int = 0, bits: int | None = None) -> bytes:
    return bytes(imagecodecs.jpegls_encode(samples, near, bitspersample=bits, spiff=False))


STREAMS = {
    "50": (GRAY, dct(GRAY)),
    "50 color": (COLOR, dct(COLOR)),
    "51": (DEEP, dct(DEEP, bitspersample=12)),
    "70": (DEEP, lossless_jpeg(DEEP, 12)),
    "57": (COLOR, lossless_jpeg(COLOR, 8, 6)),
    "80": (DEEP, jpeg_ls(DEEP, bits=12)),
    "80 color": (COLOR, jpeg_ls(COLOR)),
    "81": (GRAY, jpeg_ls(GRAY, 2)),
}


def with_dnl(stream: bytes) -> bytes:
    """Return a stream whose number of lines comes behind its first scan (B.2.5)."""
    frame = next(stream.index(bytes([0xFF, marker])) for marker in
                 (0xC0, 0xC1, 0xC3, 0xF7) if bytes([0xFF, marker]) in stream[:700])  # fmt: skip
    rows = stream[frame + 5 : frame + 7]
    bare = stream[: frame + 5] + b"\0\0" + stream[frame + 7 :]
    return bare[:-2] + segment(0xDC, rows) + b"\xff\xd9"


@pytest.mark.parametrize("name", STREAMS)
def test_lines_that_come_behind_the_scan(name: str) -> None:
    samples, stream = STREAMS[name]
    syntax = name.split()[0]
    expected = samples_of(file_of(syntax, [stream, stream], samples, 12 if samples is DEEP else 8))
    unusual = with_dnl(stream)
    assert jpeg.describe(unusual).rows == samples.shape[0]

    for streams in ([unusual, unusual], [stream, unusual]):
        content = file_of(syntax, streams, samples, 12 if samples is DEEP else 8)
        assert np.array_equal(samples_of(content), expected)
        assert frames_of(convert_bytes(content, to="jpeg-ls"))
    cut = stream[: -len(stream) // 3].rstrip(b"\xff") + b"\xff\xd9"
    truncated = file_of(syntax, [with_dnl(cut)], samples, 12 if samples is DEEP else 8)
    with pytest.raises(FrameError):
        samples_of(truncated)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("starts", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xff\xff\xd8"])
def test_more_than_one_start(name: str, starts: bytes) -> None:
    samples, stream = STREAMS[name]
    syntax, bits = name.split()[0], 12 if samples is DEEP else 8
    expected = samples_of(file_of(syntax, [stream, stream], samples, bits))
    content = file_of(syntax, [starts + stream, starts + stream], samples, bits)

    assert np.array_equal(samples_of(content), expected)
    assert found(content) == ["junk-before-stream"]
    target = {"50": "jpeg", "51": "jpeg-extended", "57": "jpeg-lossless-p14", "70": "jpeg-lossless",
              "80": "jpeg-ls", "81": "jpeg-ls-near"}[syntax]  # fmt: skip
    moved = convert_bytes(content, to=target, verify=True)
    assert frames_of(moved)[0].rstrip(b"\0") == stream.rstrip(b"\0")


@pytest.mark.parametrize("name", ["70", "57"])
@pytest.mark.parametrize("end", [63, 1])
def test_the_end_of_a_spectrum_in_lossless_jpeg(name: str, end: int) -> None:
    samples, stream = STREAMS[name]
    bits = 12 if samples is DEEP else 8
    at = stream.index(b"\xff\xda")
    last = at + 2 + int.from_bytes(stream[at + 2 : at + 4])
    unusual = stream[: last - 2] + bytes([end]) + stream[last - 1 :]
    content = file_of(name, [unusual, unusual], samples, bits)

    assert np.array_equal(samples_of(content)[1], samples)
    assert np.array_equal(samples_of(file_of(name, [stream, unusual], samples, bits))[1], samples)
    assert found(content) == ["wrong-spectral-end"]
    target = "jpeg-lossless" if name == "70" else "jpeg-lossless-p14"
    moved = convert_bytes(content, to=target, verify=True)
    assert frames_of(moved)[1].rstrip(b"\0") == stream.rstrip(b"\0")
    assert found(moved) == []


INDICES = (GRAY >> 4).astype(np.uint8)
TABLE = np.random.default_rng(1).integers(0, 256, 256).astype(np.uint8)
WIDE = np.random.default_rng(1).integers(0, 65536, 256).astype(">u2")


def with_table(stream: bytes, named: int, *tables: bytes) -> bytes:
    """Return a JPEG-LS stream with mapping tables, one of which its components name."""
    at = stream.index(b"\xff\xda")
    scan = bytearray(stream[at:])
    components = scan[4]
    scan[6 : 6 + 2 * components : 2] = bytes([named]) * components
    return stream[:at] + b"".join(segment(0xF8, one) for one in tables) + bytes(scan)


ONE = b"\2\5\1" + TABLE.tobytes()
TWO = b"\2\6\2" + WIDE.tobytes()


@pytest.mark.parametrize("bits", [4, 8])
def test_mapping_tables_of_jpeg_ls(bits: int) -> None:
    stream = jpeg_ls(INDICES, bits=bits)
    unused = file_of("80", [with_table(stream, 0, ONE, TWO)], INDICES)
    assert np.array_equal(samples_of(unused)[0], INDICES)

    for tables in ((ONE,), (ONE[:100], b"\3\5\1" + ONE[100:]), (TWO, ONE)):
        content = file_of("80", [with_table(stream, 5, *tables)] * 2, INDICES)
        assert np.array_equal(samples_of(content)[1], TABLE[INDICES])
    wide = file_of("80", [with_table(stream, 6, TWO)], INDICES.astype("<u2"), 16)
    assert np.array_equal(samples_of(wide)[0], WIDE[INDICES])

    color = jpeg_ls(np.stack([INDICES] * 3, -1), bits=8)
    content = file_of("80", [with_table(color, 5, ONE)], np.stack([INDICES] * 3, -1))
    assert np.array_equal(samples_of(content)[0], TABLE[np.stack([INDICES] * 3, -1)])


def test_mapping_tables_that_make_no_sense() -> None:
    stream = jpeg_ls(INDICES)
    for named, tables, error in (
        (7, (ONE,), CorruptFrameError),
        (5, (b"\2\5\1" + TABLE[:9].tobytes(),), CorruptFrameError),
        (6, (TWO[:-1],), CorruptFrameError),
        (5, (b"\2\5\3" + bytes(99),), DicodecError),
        (5, (b"\2\5\0" + bytes(99),), DicodecError),
    ):
        with pytest.raises(error):
            samples_of(file_of("80", [with_table(stream, named, *tables)], INDICES))
    mixed = bytearray(with_table(jpeg_ls(COLOR), 5, ONE))
    at = mixed.index(b"\xff\xda")
    mixed[at + 6] = 0
    with pytest.raises((UnsupportedSourceError, CorruptFrameError)):
        samples_of(file_of("80", [bytes(mixed)], COLOR))


def insert_markers(stream: bytes, place: str) -> bytes:
    """Return a codestream with markers that have no segment (ISO/IEC 15444-1 Table A.1)."""
    if place == "first":
        at = 4 + int.from_bytes(stream[4:6])
        return stream[:at] + b"\xff\x30" + stream[at:]
    if place == "last":
        at = stream.index(b"\xff\x90")
        return stream[:at] + b"\xff\x3f\xff\x31" + stream[at:]
    parts, at = [stream[: stream.index(b"\xff\x90")]], stream.index(b"\xff\x90")
    while stream[at : at + 2] == b"\xff\x90":
        length = int.from_bytes(stream[at + 6 : at + 10])
        part = stream[at : at + length]
        parts.append(part[:6] + (length + 2).to_bytes(4) + part[10:12] + b"\xff\x30" + part[12:])
        at += length
    return b"".join([*parts, stream[at:]])


J2K = {
    "90": bytes(imagecodecs.jpeg2k_encode(DEEP, codecformat="J2K", reversible=True,
                                          bitspersample=12)),
    "91": bytes(imagecodecs.jpeg2k_encode(DEEP, 60, codecformat="J2K", bitspersample=12)),
    "201": bytes(imagecodecs.htj2k_encode(DEEP, reversible=True, bitspersample=12, tlm=True,
                                          tilepart="RESOLUTIONS")),
    "203": bytes(imagecodecs.htj2k_encode(DEEP, 0.001, reversible=False, bitspersample=12)),
}  # fmt: skip


@pytest.mark.parametrize("name", J2K)
@pytest.mark.parametrize("place", ["first", "last", "tile-parts"])
def test_markers_without_a_segment(name: str, place: str) -> None:
    stream, syntax = J2K[name], name.split()[0]
    unusual = insert_markers(stream, place)
    expected = samples_of(file_of(syntax, [stream], DEEP, 12))
    assert jpeg2000.describe(unusual) == jpeg2000.describe(stream) or place != "tile-parts"
    described, codestream = jpeg2000.check_whole(unusual)
    assert described.details["bare_markers"]
    assert bytes(jpeg2000.remove_bare_markers(codestream)) == stream

    content = file_of(syntax, [unusual, unusual], DEEP, 12)
    assert np.array_equal(samples_of(content)[1], expected[0])
    assert convert(content, io.BytesIO(), to="jpeg-ls").oddities == ()


@pytest.mark.parametrize(("bits", "warned"), [(28, False), (29, True), (32, True)])
@pytest.mark.parametrize("target", ["htj2k-lossless", "htj2k-rpcl", "rle"])
def test_bits_that_few_readers_take(bits: int, warned: bool, target: str) -> None:
    content, _ = make_file(20, 24, bits_allocated=32, bits_stored=bits)
    report = convert(content, io.BytesIO(), to=target)
    told = [one for one in report.warnings if "few readers" in one]
    assert bool(told) == (warned and target != "rle")
