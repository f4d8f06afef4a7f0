"""Small files that claim much or cost much, each below 1 MB, made by code."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import imagecodecs
import numpy as np

from dicodec.part10.encoding import UNDEFINED_LENGTH
from helpers.data_set_bytes import data_set_of, element, header, item, marker, nested, sequence
from helpers.directories import Record, make_directory
from helpers.icons import icon_elements
from helpers.made import DEFLATED, EXPLICIT_LE, Element, encapsulated, file_head, make_file

J2K, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"
JPEG, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_XL = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.110"
RLE, DEFLATED_FRAME = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"
NATIVE_ITEMS = "1.2.840.10008.1.2.1.98"
_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
LARGEST = 999_999


def _around(
    syntax: str,
    streams: Iterable[bytes],
    rows: int,
    columns: int,
    *,
    samples: int = 1,
    bits: int = 8,
    extra: Iterable[Element] = (),
) -> bytes:
    """Return a file of frames that nobody has to hold as samples."""
    frames = [[stream] for stream in streams]
    photometric = "MONOCHROME2" if samples == 1 else "RGB"
    data, _ = make_file(
        rows, columns, samples, bits_allocated=8 if bits <= 8 else 16, bits_stored=bits,
        photometric=photometric, frames=len(frames), pixels=np.zeros(1, np.uint8),
        transfer_syntax=syntax, streams=frames, extra=extra,
    )  # fmt: skip
    return data


# JPEG 2000


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def _codestream(
    size: int,
    *,
    tile: int = 0,
    components: int = 1,
    layers: int = 1,
    levels: int = 5,
    block: int = 4,
    precinct: int | None = None,
    body: bytes | None = None,
    tile_parts: int = 1,
    high_throughput: bool = False,
) -> bytes:
    """Return a codestream of ISO/IEC 15444-1 Annex A, its packets any bytes.

    Args:
        size: rows and columns.
        tile: rows and columns of a tile; those of the image if 0.
        components: their number.
        layers, levels: quality layers, decomposition levels.
        block: exponent of a code-block's side, less two.
        precinct: exponent of a precinct's side; the largest if None.
        body: packets of each tile-part; empty ones if None.
        tile_parts: their number, each of its own tile.
        high_throughput: whether code-blocks are those of part 15.
    """
    capabilities = 0x4000 if high_throughput else 0
    siz = struct.pack(">H8I", capabilities, size, size, 0, 0, tile or size, tile or size, 0, 0)
    siz += struct.pack(">H", components) + bytes([7, 1, 1]) * components
    style = 0x40 if high_throughput else 0
    cod = struct.pack(">BBHB", precinct is not None, 2, layers, 0)
    cod += bytes([levels, block, block, style, 1])
    if precinct is not None:
        cod += bytes([precinct << 4 | precinct] * (levels + 1))
    qcd = bytes([0x40]) + bytes([8 << 3] * (3 * levels + 1))
    cap = _segment(0xFF50, struct.pack(">IH", 1 << 17, 0)) if high_throughput else b""
    main = b"\xff\x4f" + _segment(0xFF51, siz) + cap + _segment(0xFF52, cod)
    main += _segment(0xFF5C, qcd)
    if body is None:
        body = bytes((levels + 1) * components * min(layers, 9))
    parts = [
        b"\xff\x90" + struct.pack(">HHIBB", 10, index, 14 + len(body), 0, 1) + b"\xff\x93" + body
        for index in range(tile_parts)
    ]
    return b"".join([main, *parts, b"\xff\xd9"])


def _jpeg2000(size: int, *, high_throughput: bool = False, **given: int) -> bytes:
    stream = _codestream(size, high_throughput=high_throughput, **given)  # type: ignore[arg-type]
    return _around(HTJ2K if high_throughput else J2K, [stream], size, size)


# JPEG


def _jpeg(size: int, scans: Iterable[bytes], sof: int = 0xC0, *, more: bytes = b"") -> bytes:
    frame = _segment(0xFF00 | sof, struct.pack(">BHHB", 8, size, size, 1) + b"\1\x11\0")
    quantization = _segment(0xFFDB, bytes([0]) + bytes([1] * 64))
    return b"".join([b"\xff\xd8", more, quantization, frame, _TABLES, *scans, b"\xff\xd9"])


_DC = bytes([0x00, 2]) + bytes(15) + bytes([0, 1])
_AC = bytes([0x10, 1, 1]) + bytes(14) + bytes([0x00, 0xE0])
"""Code 0 ends a block or a band of one, code 10 is EOB14: 16384 blocks and more."""
_TABLES = _segment(0xFFC4, _DC[:1] + bytes([1]) + bytes(15) + bytes([0])) + _segment(0xFFC4, _AC)


def _scan(data: bytes, spectral: tuple[int, int, int] = (0, 63, 0)) -> bytes:
    first, last, approximation = spectral
    return _segment(0xFFDA, bytes([1, 1, 0, first, last, approximation])) + data


def _progressive(size: int, scans: int) -> bytes:
    """Return many scans of a few bytes, each of which goes over all blocks."""
    blocks = (size // 8) ** 2
    assert blocks % _LONGEST_RUN == 0
    first = _scan(bytes(blocks // 8), (0, 0, 0))
    band = ("10" + "0" * 14) * (blocks // _LONGEST_RUN)  # EOB14 and no further bits
    data = int(band, 2).to_bytes(len(band) // 8)
    every = [_scan(data, (1 + index % 63, 1 + index % 63, 0)) for index in range(scans)]
    return _jpeg(size, [first, *every], 0xC2)


_LONGEST_RUN = 1 << 14
"""Blocks that EOB14 ends (ISO/IEC 10918-1 Table G.1)."""


# Data sets


def _deflated(data_set: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    data = deflater.compress(data_set) + deflater.flush()
    return file_head(DEFLATED, _SOP_CLASS, "1.2.3") + data + b"\0" * (len(data) % 2)


def _plain(data_set: bytes, syntax: str = EXPLICIT_LE) -> bytes:
    return file_head(syntax, _SOP_CLASS, "1.2.3") + data_set


_REFERENCES = 0x00081140
_COMMENTS = 0x00204000


def _items(count: int, content: bytes = b"") -> bytes:
    return sequence(_REFERENCES, item(content) * count)


def _native(rows: int, columns: int, bits: int = 8, frames: int = 1) -> bytes:
    """Return the data set of an image of zeros."""
    data, _ = make_file(
        rows, columns, bits_allocated=bits, bits_stored=bits, frames=frames,
        pixels=np.zeros((frames, rows, columns), np.uint8 if bits <= 8 else np.uint16),
    )  # fmt: skip
    return data_set_of(data)


def _with_icons(count: int, stream: bytes, size: int) -> bytes:
    inner = icon_elements(encapsulated([[stream]], offset_table=False), rows=size)
    columns = element(0x00280011, "US", struct.pack("<H", size))
    inner = inner.replace(element(0x00280011, "US", b"\x08\0"), columns)
    icons = item(sequence(0x00880200, item(inner))) * count
    return _plain(sequence(_REFERENCES, icons) + _native(8, 8))


def _archive(kind: str) -> bytes:
    content = _plain(_native(8, 8)) + element(0xFFFCFFFC, "OB", bytes(300_000_000))
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr("bomb.dcm", content)
        return made.getvalue()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo("bomb.dcm")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _rle(size: int) -> bytes:
    segment = b"\x81\0" * -(-size * size // 128)
    return struct.pack("<16I", 1, 64, *[0] * 14) + segment


def _raw_deflate(content: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    return deflater.compress(content) + deflater.flush()


@cache
def _noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


_JPEG_XL_HEAD = bytes.fromhex("0000000c4a584c200d0a870a") + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "


def _claimed_jpeg_ls(size: int) -> bytes:
    stream = bytearray(imagecodecs.jpegls_encode(np.zeros((8, 8), np.uint8)))
    at = stream.index(b"\xff\xf7")
    stream[at + 5 : at + 9] = struct.pack(">HH", size, size)
    return _around(JPEG_LS, [bytes(stream)], size, size)


@cache
def _blank_jpegxl(size: int) -> bytes:
    blank = np.zeros((size, size), np.uint8)
    return bytes(imagecodecs.jpegxl_encode(blank, lossless=True, effort=1))


def _claimed_jpegxl(size: int) -> bytes:
    stream = bytearray(_blank_jpegxl(2_048))
    bits = int.from_bytes(stream[2:8], "little")
    # SizeHeader (D.2): not small, 13 bits; then a ratio of 1:1
    assert bits & 7 == 2, "another size header"
    bits = bits & ~(0x1FFF << 3) | (min(size, 8192) - 1) << 3
    stream[2:8] = bits.to_bytes(6, "little")
    return bytes(stream)


def _animated_jpegxl(size: int, frames: int) -> bytes:
    """Return an animation: frames of color, of which DICOM allows one a stream (PS3.5 8.2.18)."""
    pictures = np.zeros((frames, size, size, 3), np.uint8)
    stream = bytes(imagecodecs.jpegxl_encode(pictures, lossless=True, effort=1))
    assert imagecodecs.jpegxl_decode(stream, index=1).shape == (size, size, 3)
    return stream


_LATIN = element(0x00080005, "CS", b"ISO_IR 100")
_NAME = element(0x00081080, "LO", b"\xc4\xe9")


def _nest(content: bytes, depth: int = 60, vr: str = "SQ") -> bytes:
    """Return sequences within each other, in UN with VRs if that is the VR."""
    for _ in range(depth):
        content = item(content, undefined=True)
        if vr == "UN":
            content = header(_REFERENCES, vr, UNDEFINED_LENGTH) + content + _SEQUENCE_END
        else:
            content = sequence(_REFERENCES, content, undefined=True)
    return content


_SEQUENCE_END = marker(0xFFFEE0DD, 0)


def _nested_items(content: bytes, **given: str) -> bytes:
    """Return a file of one sequence whose items hold content at the depth of the limit."""
    inner = item(_nest(content, **given))  # type: ignore[arg-type]
    items = inner * (900_000 // len(inner))
    return _plain(_LATIN + sequence(_REFERENCES, items) + _native(8, 8))


def _overlays() -> bytes:
    parts = []
    for group in range(0x6000, 0x6020, 2):
        parts += [
            element(group << 16 | 0x10, "US", b"\xff\xff"),
            element(group << 16 | 0x11, "US", b"\xff\xff"),
            element(group << 16 | 0x15, "IS", b"9999999999"),
            element(group << 16 | 0x100, "US", b"\1\0"),
            element(group << 16 | 0x102, "US", b"\0\0"),
            element(group << 16 | 0x3000, "OW", bytes(50_000)),
        ]
    return b"".join(sorted(parts))


def _lying_table() -> bytes:
    data = _around(RLE, [_rle(16)] * 8_000, 16, 16)
    at = data.index(b"\xfe\xff\x00\xe0")
    (length,) = struct.unpack("<I", data[at + 4 : at + 8])
    table = struct.pack(f"<{length // 4}I", *([4_294_967_294] * (length // 4)))
    return data[: at + 8] + table + data[at + 8 + length :]


BOMBS: Mapping[str, Callable[[], bytes]] = {
    # Codestreams that claim
    "j2k-size": lambda: _jpeg2000(11_000),
    "j2k-size-at-the-limit": lambda: _jpeg2000(6_300),
    "j2k-color": lambda: _around(J2K, [_codestream(9_000, components=3)], 9_000, 9_000, samples=3),
    "j2k-tiles": lambda: _jpeg2000(245, tile=1, levels=0, tile_parts=60_025),
    "j2k-few-of-many-tiles": lambda: _jpeg2000(8_000, tile=32),
    "j2k-components": lambda: _around(J2K, [_codestream(64, components=16_384)], 64, 64),
    "j2k-levels": lambda: _jpeg2000(4_000, levels=32),
    "j2k-layers": lambda: _jpeg2000(2_000, layers=65_535, precinct=7),
    "j2k-precincts": lambda: _jpeg2000(4_000, precinct=1),
    "j2k-code-blocks": lambda: _jpeg2000(5_000, block=0),
    "j2k-frames": lambda: _around(J2K, [_codestream(4_000)] * 700, 4_000, 4_000),
    "htj2k-size": lambda: _jpeg2000(11_000, high_throughput=True),
    "htj2k-precincts": lambda: _jpeg2000(4_000, precinct=1, high_throughput=True),
    "htj2k-code-blocks": lambda: _jpeg2000(5_000, block=0, high_throughput=True),
    "htj2k-tiles": lambda: _jpeg2000(
        245, tile=1, levels=0, tile_parts=60_025, high_throughput=True
    ),
    "jpeg-size": lambda: _around(JPEG, [_jpeg(21_000, [_scan(bytes(900_000))])], 21_000, 21_000),
    "jpeg-arithmetic": lambda: _around(
        JPEG, [_jpeg(16_000, [_scan(bytes(100))], 0xC9)], 16_000, 16_000
    ),
    "jpeg-scans": lambda: _around(JPEG, [_progressive(4_096, 15_000)], 4_096, 4_096),
    "jpeg-tables": lambda: _around(
        JPEG, [_jpeg(64, [_scan(bytes(64))], more=_TABLES * 20_000)], 64, 64
    ),
    "jpeg-restarts": lambda: _around(
        JPEG, [_jpeg(64, [_scan(b"\xff\xd0\xff\xd1" * 200_000)])], 64, 64
    ),
    "jpeg-lossless-size": lambda: _around(
        JPEG_LOSSLESS, [_jpeg(2_600, [_scan(bytes(900_000), (1, 0, 0))], 0xC3)], 2_600, 2_600
    ),
    "jpeg-ls-size": lambda: _claimed_jpeg_ls(11_000),
    "jpegxl-size": lambda: _around(JPEG_XL, [_blank_jpegxl(6_000)], 6_000, 6_000),
    "jpegxl-size-at-the-limit": lambda: _around(
        JPEG_XL, [_blank_jpegxl(3_600)], 3_600, 3_600
    ),
    "jpegxl-claimed-size": lambda: _around(JPEG_XL, [_claimed_jpegxl(16_000)], 16_000, 16_000),
    "jpegxl-boxes": lambda: _around(
        JPEG_XL, [_JPEG_XL_HEAD + b"\0\0\0\x08free" * 110_000], 16, 16
    ),
    "jpegxl-animation": lambda: _around(
        JPEG_XL, [_animated_jpegxl(512, 200)], 512, 512, samples=3
    ),
    "rle-frame": lambda: _around(RLE, [_rle(7_900)], 7_900, 7_900),
    "rle-frames": lambda: _around(RLE, [_rle(16)] * 10_000, 16, 16),
    "deflated-frame": lambda: _around(
        DEFLATED_FRAME, [_raw_deflate(bytes(15_000**2))], 15_000, 15_000
    ),
    "deflated-frames": lambda: _around(
        DEFLATED_FRAME, [_raw_deflate(bytes(2_000**2))] * 230, 2_000, 2_000
    ),
    "deflated-noise-frames": lambda: _around(
        DEFLATED_FRAME, [_raw_deflate(_noise(4_000) * 1_000)] * 25, 2_000, 2_000
    ),
    # Data sets that expand
    "deflated-value": lambda: _deflated(
        element(0x00091001, "OB", bytes(150_000_000)) + _native(8, 8)
    ),
    "deflated-image": lambda: _deflated(_native(12_500, 12_500)),
    "deflated-items": lambda: _deflated(_items(15_000_000) + _native(8, 8)),
    "deflated-elements": lambda: _deflated(
        element(0x00091001, "LO", b"AB") * 3_000_000 + _native(8, 8)
    ),
    "deflated-items-11-kB": lambda: _deflated(_items(1_400_000)),
    "deflated-sequences": lambda: _deflated(
        _items(200_000, sequence(_REFERENCES, item(element(0x00081150, "UI", b"1.2\0"))))
        + _native(8, 8)
    ),
    "deflated-text": lambda: _deflated(
        element(0x00080005, "CS", b"\\ISO 2022 IR 87 ")
        + element(_COMMENTS, "UT", b"\xc4\xe9a " * 25_000_000)
        + _native(8, 8)
    ),
    "deflated-numbers": lambda: _deflated(
        element(0x00091001, "OD", bytes(100_000_000)) + _native(8, 8)
    ),
    "deflated-frames-of-a-pixel": lambda: _deflated(_native(1, 1, frames=2_000_000)),
    # As they lie
    "frames-of-a-pixel": lambda: _plain(_native(1, 1, frames=990_000)),
    "elements-at-the-limit": lambda: _plain(element(0x00091001, "LO", b"") * 79_000),
    "elements": lambda: _plain(element(0x00091001, "LO", b"") * 120_000),
    "items": lambda: _plain(_items(120_000)),
    "undefined-items": lambda: _plain(
        sequence(_REFERENCES, item(b"", undefined=True) * 60_000, undefined=True)
    ),
    "nested": lambda: _plain(nested(60) * 455),
    "nested-too-deep": lambda: _plain(nested(15_000)),
    "fragments": lambda: _around(NATIVE_ITEMS, [b"AB"] * 70_000, 1, 2),
    "text": lambda: _plain(
        element(0x00080005, "CS", b"\\ISO 2022 IR 87 ")
        + element(_COMMENTS, "UT", b"\x1b$B0l\x1b(B" * 110_000) + _native(8, 8)
    ),
    "texts": lambda: _plain(
        element(0x00080005, "CS", b"\\ISO 2022 IR 87 ")
        + _items(40_000, element(0x00081080, "LO", b"\x1b$B0l\x1b(B")) + _native(8, 8)
    ),
    "icons-j2k": lambda: _with_icons(1_500, _codestream(8_000), 8_000),
    "icons-jpegxl": lambda: _with_icons(1_200, _blank_jpegxl(2_000), 2_000),
    "icons-rle": lambda: _with_icons(40, _rle(1_200), 1_200),
    "number-of-frames": lambda: make_file(
        4, 4, extra=[(0x00280008, "IS", b"99999999999999999999")]
    )[0],
    "number-of-frames-encapsulated": lambda: _around(
        RLE, [_rle(16)], 16, 16, extra=[(0x00280008, "IS", b"99999999999999999999")]
    ),
    "number-of-frames-of-no-pixels": lambda: make_file(
        0, 4, extra=[(0x00280008, "IS", b"9999999999")], pixels=np.zeros(0, np.uint16)
    )[0],
    "rows-and-columns": lambda: make_file(
        65_535, 65_535, pixels=np.zeros(8, np.uint16),
        extra=[(0x00280008, "IS", b"2147483647")],
    )[0],
    "samples": lambda: make_file(
        16, 16, 60_000, photometric="RGB", pixels=np.zeros(8, np.uint8)
    )[0],
    "overlays": lambda: _plain(_overlays() + _native(8, 8)),
    "table-that-lies": lambda: _lying_table(),
    "nested-text": lambda: _nested_items(_NAME),
    "nested-text-in-un": lambda: _nested_items(_NAME, vr="UN"),
    "nested-icons": lambda: _nested_items(
        sequence(0x00880200, item(icon_elements(encapsulated([[b"\xff\xd8"]], offset_table=False))))
    ),
    "nested-items": lambda: _plain(
        _LATIN + _nest(_NAME + sequence(0x00081110, item(_NAME) * 25_000)) + _native(8, 8)
    ),
    "text-of-delimiters": lambda: _plain(
        element(0x00080005, "CS", b"\\ISO 2022 IR 87 ")
        + element(0x00080119, "UC", b"\x1b$B" + b"\\" * 700_000 + b"0l\x1b(B ") + _native(8, 8)
    ),
    "long-character-set": lambda: _plain(
        element(0x00080005, "CS", b"ISO 2022 IR 100" + b"\\ISO 2022 IR 87" * 4_000 + b" ")
        + sequence(_REFERENCES, item(_NAME) * 38_000) + _native(8, 8)
    ),
    "directory": lambda: make_directory(
        [Record("PATIENT", following=(i + 1) % 8_000, below=i // 2) for i in range(8_000)],
        roots=(0, 7_999),
    ),
}  # fmt: skip
"""By name: makes the file."""

ARCHIVES: Mapping[str, Callable[[], bytes]] = {
    "member.zip": lambda: _archive("zip"),
    "member.tar.gz": lambda: _archive("tar"),
}
