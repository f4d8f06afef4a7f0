"""Make DICOM files of our own with struct alone: known samples, known elements.

Nothing here comes from a real image, and no other library is asked.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from dicodec.model.late_import import import_late
from dicodec.model.records import asdict, dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    type Samples = NDArray[Any]
else:
    np = import_late("numpy")

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

PIXEL_DATA = 0x7FE00010
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

type Element = tuple[int, str, bytes]
"""Tag, VR, and the value as little endian bytes of any length; one pad byte is added where due."""

_LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
_UNIT = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4, "FD": 8}
_NUL_PADDED = {"OB", "UI", "UN"}
_UID_ROOT = "2.25.31415926535897932384626433832795028841"


@dataclass(frozen=True, slots=True)
class ImageKind:
    """One sort of image that conversions must cope with; fields as in `make_file`."""

    name: str
    rows: int = 48
    columns: int = 64
    samples: int = 1
    bits_allocated: int = 16
    bits_stored: int = 16
    signed: bool = False
    photometric: str = "MONOCHROME2"
    planar: int = 0
    frames: int = 1

    def make(self, **changes: Any) -> tuple[bytes, Samples]:
        """Return a file of this kind and its samples."""
        fields = asdict(self)
        del fields["name"]
        return make_file(**{**fields, **changes})


# fmt: off
IMAGE_KINDS: dict[str, ImageKind] = {kind.name: kind for kind in (
    ImageKind("gray-8", bits_allocated=8, bits_stored=8),
    ImageKind("gray-10-in-16", bits_stored=10),
    ImageKind("gray-12-in-16", bits_stored=12),
    ImageKind("gray-16"),
    ImageKind("signed-16", signed=True),
    ImageKind("signed-12-in-16", bits_stored=12, signed=True),
    ImageKind("one-bit", bits_allocated=1, bits_stored=1),
    ImageKind("gray-32", bits_allocated=32, bits_stored=32),
    ImageKind("rgb-8", samples=3, bits_allocated=8, bits_stored=8, photometric="RGB"),
    ImageKind("rgb-16", samples=3, photometric="RGB"),
    ImageKind("palette", bits_allocated=8, bits_stored=8, photometric="PALETTE COLOR"),
    ImageKind("odd-size", rows=33, columns=47, bits_allocated=8, bits_stored=8),
    ImageKind("one-pixel", rows=1, columns=1, bits_stored=12),
    ImageKind("multi-frame", bits_stored=12, frames=5),
    ImageKind("signed-8", bits_allocated=8, bits_stored=8, signed=True),
    ImageKind("signed-32", bits_allocated=32, bits_stored=32, signed=True),
    ImageKind("inverted", bits_stored=12, photometric="MONOCHROME1"),
    ImageKind("rgb-8-by-plane", samples=3, bits_allocated=8, bits_stored=8, photometric="RGB",
              planar=1),
    ImageKind("rgb-8-frames", samples=3, bits_allocated=8, bits_stored=8, photometric="RGB",
              frames=3),
    ImageKind("ybr-full-8", samples=3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL"),
    ImageKind("one-bit-frames", rows=9, columns=7, bits_allocated=1, bits_stored=1, frames=3),
    ImageKind("odd-size-frames", rows=33, columns=47, bits_allocated=8, bits_stored=8, frames=3),
)}
# fmt: on
"""What the conversion matrix runs over; one-bit frames of 9 x 7 begin inside a byte."""


def make_file(
    rows: int,
    columns: int,
    samples: int = 1,
    bits_allocated: int = 16,
    bits_stored: int = 12,
    signed: bool = False,
    photometric: str = "MONOCHROME2",
    planar: int = 0,
    frames: int = 1,
    seed: int = 1,
    transfer_syntax: str = EXPLICIT_LE,
    extra: Iterable[Element] = (),
    pixels: Samples | None = None,
    streams: Iterable[Iterable[bytes]] | None = None,
    sop_class: str = SECONDARY_CAPTURE,
) -> tuple[bytes, Samples]:
    """Return a DICOM file and its samples; native, or around streams that the caller encoded.

    Args:
        rows: as in PS3.3 C.7.6.3, and so are columns, bits_allocated, bits_stored and frames.
        columns: of each frame.
        samples: Samples per Pixel.
        bits_allocated: of each sample.
        bits_stored: of each sample.
        planar: Planar Configuration.
        frames: Number of Frames; an attribute if there are several.
        signed: Pixel Representation 1.
        photometric: PALETTE COLOR brings its lookup tables.
        seed: the same seed gives the same file.
        transfer_syntax: UID of one of the native syntaxes.
        extra: further elements; one of a tag that is there replaces it.
        pixels: samples to use in place of made ones, (frames, rows, columns[, samples]).
        streams: the fragments of each frame; Pixel Data is then encapsulated, and transfer_syntax
            says how. The samples returned are those that the streams should hold.
        sop_class: SOP Class UID.

    Returns:
        The file, and its samples with shape (frames, rows, columns[, samples]).
    """
    if pixels is None:
        pixels = make_samples(rows, columns, samples, bits_stored, signed, frames, seed)
        pixels = pixels.astype(_choose_dtype(bits_allocated, signed))
    uid = f"{_UID_ROOT}.{seed}.{rows}.{columns}.{samples}.{bits_stored}.{frames}"
    elements = [
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY"),
        (0x00080016, "UI", sop_class.encode()),
        (0x00080018, "UI", uid.encode()),
        (0x00080060, "CS", b"OT"),
        (0x00090010, "LO", b"DICODEC TESTS"),
        (0x00091001, "UN", b"private \x00\xff"),
        (0x00100010, "PN", b"Made^Image"),
        (0x00100020, "LO", b"0"),
        (0x0020000D, "UI", f"{_UID_ROOT}.1".encode()),
        (0x0020000E, "UI", f"{_UID_ROOT}.2".encode()),
        (0x00280002, "US", struct.pack("<H", samples)),
        (0x00280004, "CS", photometric.encode()),
        (0x00280010, "US", struct.pack("<H", rows)),
        (0x00280011, "US", struct.pack("<H", columns)),
        (0x00280030, "DS", b"0.661468\\0.661468"),
        (0x00280100, "US", struct.pack("<H", bits_allocated)),
        (0x00280101, "US", struct.pack("<H", bits_stored)),
        (0x00280102, "US", struct.pack("<H", bits_stored - 1)),
        (0x00280103, "US", struct.pack("<H", signed)),
    ]
    if samples > 1:
        elements.append((0x00280006, "US", struct.pack("<H", planar)))
    if frames > 1:
        elements.append((0x00280008, "IS", str(frames).encode()))
    if photometric == "PALETTE COLOR":
        elements += _make_lookup_tables(bits_stored)
    if streams is None:
        pixel_vr = "OW" if bits_allocated > 8 or transfer_syntax == IMPLICIT_LE else "OB"
        elements.append((PIXEL_DATA, pixel_vr, native_bytes(pixels, bits_allocated, planar)))
    merged = {tag: (tag, vr, value) for tag, vr, value in [*elements, *extra]}
    before, after = (
        encode_elements(
            sorted(part),
            explicit=transfer_syntax != IMPLICIT_LE,
            big_endian=transfer_syntax == EXPLICIT_BE,
            ow_unit=max(bits_allocated // 8, 2),
        )
        for part in (
            [element for element in merged.values() if element[0] <= PIXEL_DATA],
            [element for element in merged.values() if element[0] > PIXEL_DATA],
        )
    )
    data_set = before + (b"" if streams is None else encapsulated(streams)) + after
    if transfer_syntax == DEFLATED:
        deflater = zlib.compressobj(wbits=-15)
        data_set = deflater.compress(data_set) + deflater.flush()
        data_set += b"\0" * (len(data_set) % 2)
    return file_head(transfer_syntax, sop_class, uid) + data_set, pixels


def choose_sop_class(samples: int, bits_allocated: int, frames: int) -> str:
    """Return the Secondary Capture class that may have such an image (PS3.3 A.8)."""
    if frames == 1:
        return SECONDARY_CAPTURE
    kind = 4 if samples == 3 else {1: 1, 8: 2}.get(bits_allocated, 3)
    return f"{SECONDARY_CAPTURE}.{kind}"


def make_samples(
    rows: int, columns: int, samples: int, bits_stored: int, signed: bool, frames: int, seed: int
) -> Samples:
    """Return smooth shapes under noise over the whole range of Bits Stored, both ends included."""
    random = np.random.default_rng(seed)
    shape = (frames, rows, columns) if samples == 1 else (frames, rows, columns, samples)
    low = -(1 << (bits_stored - 1)) if signed else 0
    high = low + (1 << bits_stored) - 1
    along = np.indices(shape).astype(float)
    image = np.zeros(shape)
    for _ in range(4):
        waves = random.uniform(-0.15, 0.15, len(shape))
        image += np.sin(np.tensordot(waves, along, 1) + random.uniform(0, 6))
    image += random.normal(0, 0.05, shape)
    image -= image.min()
    image /= image.max() or 1
    values = np.clip(np.rint(image * (high - low)), 0, high - low).astype(np.int64) + low
    flat = values.reshape(-1)
    flat[0], flat[-1] = low, high
    return values


def native_bytes(pixels: Samples, bits_allocated: int, planar: int = 0) -> bytes:
    """Return the value of Pixel Data, little endian, without the pad byte."""
    if bits_allocated == 1:
        return np.packbits(pixels.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    if planar:
        pixels = np.moveaxis(pixels, -1, 1)
    return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def encode_elements(
    elements: Iterable[Element],
    *,
    explicit: bool = True,
    big_endian: bool = False,
    ow_unit: int = 2,
) -> bytes:
    """Return data elements as bytes (PS3.5 7.1).

    Big endian swaps by the VR's unit, Pixel Data of more than 16 bits by the sample, as pydicom
    does and as such files are found. GDCM and DCMTK swap them by 16-bit words.
    """
    order = ">" if big_endian else "<"
    parts = []
    for tag, vr, content in elements:
        value = content
        if len(value) % 2:
            value += b"\0" if vr in _NUL_PADDED or vr.startswith("O") else b" "
        if big_endian and vr in _UNIT:
            unit = ow_unit if tag == PIXEL_DATA else _UNIT[vr]
            whole = len(value) // unit * unit  # a value that is cut ends within a word
            value = np.frombuffer(value[:whole], f"u{unit}").byteswap().tobytes() + value[whole:]
        parts.append(struct.pack(order + "HH", tag >> 16, tag & 0xFFFF))
        if not explicit:
            parts.append(struct.pack("<I", len(value)))
        elif vr in _LONG:
            parts.append(vr.encode() + struct.pack(order + "HI", 0, len(value)))
        else:
            parts.append(vr.encode() + struct.pack(order + "H", len(value)))
        parts.append(value)
    return b"".join(parts)


def file_head(transfer_syntax: str, sop_class: str, sop_instance: str) -> bytes:
    """Return preamble, prefix and File Meta Information (PS3.10 7.1)."""
    meta = encode_elements(
        [
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", sop_class.encode()),
            (0x00020003, "UI", sop_instance.encode()),
            (0x00020010, "UI", transfer_syntax.encode()),
            (0x00020012, "UI", f"{_UID_ROOT}.3".encode()),
        ]
    )
    length = encode_elements([(0x00020000, "UL", struct.pack("<I", len(meta)))])
    return b"\0" * 128 + b"DICM" + length + meta


def encapsulated(frames: Iterable[Iterable[bytes]], *, offset_table: bool = True) -> bytes:
    """Return encapsulated Pixel Data as a whole element; each frame is a list of fragments."""
    items, offsets, position = [], [], 0
    for fragments in frames:
        offsets.append(position)
        for content in fragments:
            fragment = content + b"\0" * (len(content) % 2)
            items.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(fragment)) + fragment)
            position += 8 + len(fragment)
    table = struct.pack(f"<{len(offsets)}I", *offsets) if offset_table else b""
    return b"".join(
        [
            struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF),
            struct.pack("<HHI", 0xFFFE, 0xE000, len(table)),
            table,
            *items,
            struct.pack("<HHI", 0xFFFE, 0xE0DD, 0),
        ]
    )


def _choose_dtype(bits_allocated: int, signed: bool) -> str:
    return f"<{'i' if signed else 'u'}{max(bits_allocated, 8) // 8}"


def _make_lookup_tables(bits_stored: int) -> list[Element]:
    entries = 1 << bits_stored
    ramp = np.linspace(0, 0xFFFF, entries).astype("<u2")
    tables = [ramp, ramp[::-1], np.roll(ramp, entries // 3)]
    descriptor = struct.pack("<HHH", entries & 0xFFFF, 0, 16)
    return [
        *((0x00281101 + n, "US", descriptor) for n in range(3)),
        *((0x00281201 + n, "OW", table.tobytes()) for n, table in enumerate(tables)),
    ]
