"""Files that are wrong in one way each, byte by byte, and the right files that they should be."""

from __future__ import annotations

import struct

from dicodec import convert_bytes
from dicodec.conformance.made_files import (
    IMPLICIT_LE,
    choose_sop_class,
    encapsulated,
    encode_elements,
    make_file,
)
from dicodec.model.late_import import import_late
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import BytesSource

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
else:
    np = import_late("numpy")

type Files = tuple[bytes, bytes]
"""The wrong file and the right one."""

_PIXEL_DATA = struct.pack("<HH", 0x7FE0, 0x0010)
_DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_UNDEFINED = 0xFFFFFFFF
_NAME = b"\xd4\xcf\xc4\xcb^\xd4\xc5\xd3\xd4"
"""A name in ISO_IR 144, which is not ASCII."""


def make_right(**changes: Any) -> bytes:
    """Return a native file of four gray frames of 12 bits in 16, or of what the changes say."""
    fields: dict[str, Any] = {
        "rows": 24,
        "columns": 20,
        "bits_allocated": 16,
        "bits_stored": 12,
        "frames": 4,
    }
    fields |= changes
    sop_class = choose_sop_class(
        fields.get("samples", 1), fields["bits_allocated"], fields["frames"]
    )
    return make_file(**fields, sop_class=sop_class)[0]


def read_streams(content: bytes) -> list[bytes]:
    """Return the stored bytes of each frame."""
    with open_dicom(content) as file:
        frames = file.frames.encapsulated
        assert frames is not None
        return [frames.read_stored(file.data_set.source, number) for number in range(len(frames))]


def start_of(content: bytes) -> bytes:
    """Return a file up to Pixel Data."""
    return content[: content.rindex(_PIXEL_DATA)]


def replace_once(content: bytes, old: bytes, new: bytes) -> bytes:
    """Return a file with some bytes replaced that it has once."""
    assert content.count(old) == 1, old
    return content.replace(old, new)


def wrap_value(items: list[bytes], table: bytes = b"") -> bytes:
    """Return encapsulated Pixel Data of these items behind an offset table."""
    whole = [table, *(item + b"\0" * (len(item) % 2) for item in items)]
    parts = [struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in whole]
    head = _PIXEL_DATA + struct.pack("<2sHI", b"OB", 0, _UNDEFINED)
    return head + b"".join(parts) + _DELIMITER


def cut_stream(stream: bytes) -> list[bytes]:
    """Return a stream in two fragments of even length."""
    middle = len(stream) // 4 * 2
    return [stream[:middle], stream[middle:]]


def cut_fragments(syntax: str) -> Files:
    """Each frame lies in two fragments, and nothing says where frames begin."""
    right = make_right()
    made = convert_bytes(right, to=syntax)
    fragments = [cut_stream(stream) for stream in read_streams(made)]
    return start_of(made) + encapsulated(fragments, offset_table=False), right


def name_fragments(syntax: str) -> Files:
    """The offset table begins with the right frame, and then names the next fragments."""
    right = make_right()
    made = convert_bytes(right, to=syntax)
    fragments = [part for stream in read_streams(made) for part in cut_stream(stream)]
    sizes = [8 + len(part) + len(part) % 2 for part in fragments]
    starts = [sum(sizes[:number]) for number in range(4)]
    return start_of(made) + wrap_value(fragments, struct.pack("<4I", *starts)), right


def leave_out_table() -> Files:
    """The first item is the first frame, and there is no offset table item."""
    right = make_right()
    made = convert_bytes(right, to="jpeg-ls")
    first = _PIXEL_DATA + struct.pack("<2sHI", b"OB", 0, _UNDEFINED)
    value = wrap_value(read_streams(made))
    return start_of(made) + first + value[len(first) + 8 :], right


def count_fewer_frames() -> Files:
    """Number of Frames is 2, and the offset table and the streams have four."""
    right = make_right()
    made = convert_bytes(right, to="jpeg-ls", offset_table="basic")
    return replace_once(made, b"\x28\0\x08\0IS\2\0004 ", b"\x28\0\x08\0IS\2\0002 "), right


def count_no_frames() -> Files:
    """Number of Frames is 0, and the value has four native frames."""
    right = make_right()
    return replace_once(right, b"\x28\0\x08\0IS\2\0004 ", b"\x28\0\x08\0IS\2\0000 "), right


def append_extended_table() -> Files:
    """An Extended Offset Table that is wrong lies beside a basic one that is right."""
    right = make_right()
    made = convert_bytes(right, to="jpeg-ls", offset_table="basic")
    wrong = struct.pack("<4Q", 0, 10, 20, 30)
    tables = encode_elements([(0x7FE00001, "OV", wrong), (0x7FE00002, "OV", wrong)])
    start = start_of(made)
    return start + tables + made[len(start) :], right


def leave_length_open() -> Files:
    """Native Pixel Data has an undefined length and a delimiter."""
    right = make_right()
    start = start_of(right)
    head = _PIXEL_DATA + struct.pack("<2sHI", b"OW", 0, _UNDEFINED)
    return start + head + right[len(start) + 12 :] + _DELIMITER, right


def append_zeros() -> Files:
    """Zeros follow the end of the data set."""
    right = make_right()
    return convert_bytes(right, to="jpeg-ls") + bytes(64), right


def append_to_segments() -> Files:
    """Bytes follow the last segment of RLE frames."""
    right = make_right()
    made = convert_bytes(right, to="rle")
    streams = [stream + b"\x80\0\0\0\0\0" for stream in read_streams(made)]
    return start_of(made) + encapsulated([[one] for one in streams]), right


def shift_samples() -> Files:
    """High Bit is 15 of 12 bits stored: samples lie in the upper bits."""
    content, pixels = make_file(24, 20, bits_stored=12)
    shifted = (pixels.astype(np.uint16) << 4).astype("<u2")
    made, _ = make_file(
        24, 20, bits_stored=12, pixels=shifted, extra=[(0x00280102, "US", b"\x0f\0")]
    )
    return made, content


def label_as_rct() -> Files:
    """RLE frames in RGB are labelled YBR_RCT, which only JPEG 2000 has."""
    right = make_right(samples=3, bits_allocated=8, bits_stored=8, photometric="RGB", frames=2)
    made = convert_bytes(right, to="rle")
    return replace_once(made, b"CS\4\0RGB ", b"CS\x08\0YBR_RCT "), right


def mix_colors() -> Files:
    """The first JPEG frame is YCbCr, the second RGB, as their own markers say."""
    import imagecodecs

    right, pixels = make_file(
        24, 20, 3, 8, 8, photometric="RGB", frames=2, sop_class=choose_sop_class(3, 8, 2)
    )
    options: dict[str, Any] = {"level": 100, "subsampling": "444"}
    streams = [
        imagecodecs.jpeg8_encode(pixels[0], colorspace="RGB", outcolorspace="YCBCR", **options),
        imagecodecs.jpeg8_encode(pixels[1], colorspace="RGB", outcolorspace="RGB", **options),
    ]
    made = convert_bytes(right, to="jpeg", lossy=True)
    return start_of(made) + encapsulated([[bytes(one)] for one in streams]), right


def write_rows_as_text() -> Files:
    """Rows is written as IS."""
    right = make_right()
    old = b"\x28\0\x10\0US\2\0\x18\0"
    return replace_once(right, old, b"\x28\0\x10\0IS\2\00024"), right


def write_no_vr() -> Files:
    """A private element has the VR "??", and a length of four bytes."""
    element = (0x00091002, "UN", b"\1\2\3\4")
    right = make_right(extra=[element])
    encoded = encode_elements([element])
    return replace_once(right, encoded, encoded.replace(b"UN", b"??")), right


def keep_text() -> Files:
    """Text in ISO_IR 144, private elements and a sequence: nothing is wrong."""
    item = encode_elements([(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
                            (0x00081155, "UI", b"1.2.3.4")])  # fmt: skip
    sequence = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    right = make_right(
        extra=[
            (0x00080005, "CS", b"ISO_IR 144"),
            (0x00081140, "SQ", sequence),
            (0x00091003, "LO", _NAME),
            (0x00100010, "PN", _NAME),
            (0x00189073, "FD", struct.pack("<d", 1.5)),
        ]
    )
    return right, right


def keep_lossy_record() -> Files:
    """The image was compressed with loss before, and its attributes say so: nothing is wrong."""
    right = make_right(
        extra=[
            (0x00282110, "CS", b"01"),
            (0x00282112, "DS", b"12.5"),
            (0x00282114, "CS", b"ISO_10918_1"),
        ]
    )
    return right, right


def shorten_item() -> Files:
    """The item of a sequence states eight bytes less than it has; so does the sequence."""
    item = encode_elements([(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
                            (0x00081155, "UI", b"1.2.3.4.5.6.7.8")])  # fmt: skip
    value = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item
    right = make_right(extra=[(0x00081140, "SQ", value)])
    shorter = struct.pack("<HHI", 0xFFFE, 0xE000, len(item) - 8) + item
    made = replace_once(right, value, shorter)
    head = b"\x08\0\x40\x11SQ\0\0"
    old, new = (head + struct.pack("<I", size) for size in (len(value), len(value) - 8))
    return replace_once(made, old, new), right


def lose_preamble() -> Files:
    """There is no preamble and no File Meta Information: the data set alone, in implicit VR."""
    right = make_right()
    made = make_right(transfer_syntax=IMPLICIT_LE)
    return made[read_head(BytesSource(made)).data_set_start :], right


def misstate_group_length() -> Files:
    """The length of File Meta Information is 10 bytes too small."""
    right = make_right()
    size = struct.unpack_from("<I", right, 140)[0]
    return right[:140] + struct.pack("<I", size - 10) + right[144:], right


def nest_deeply() -> Files:
    """Sequences lie in each other 60 deep: nothing is wrong."""
    right = make_right()
    level = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, _UNDEFINED)
    level += struct.pack("<HHI", 0xFFFE, 0xE000, _UNDEFINED)
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + _DELIMITER
    place = right.index(encode_elements([(0x00090010, "LO", b"DICODEC TESTS")]))
    made = right[:place] + level * 60 + end * 60 + right[place:]
    return made, made


def overlap_frames() -> Files:
    """The offset table has all frames begin at the first fragment."""
    right = make_right()
    made = convert_bytes(right, to="jpeg-ls")
    return start_of(made) + wrap_value(read_streams(made), bytes(16)), right
