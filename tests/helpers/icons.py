"""Icons of any family in files of any other, with whatever lengths a test wants them to state."""

from __future__ import annotations

from functools import cache

from dicodec import convert_bytes
from dicodec.part10.dicom_file import open_dicom
from helpers.data_set_bytes import element, header, item, marker, sequence
from helpers.made import IMAGE_KINDS, Samples, encapsulated

ICON = 0x00880200
REFERENCES = 0x00081140
FAMILIES = (
    "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "rle",
    "jpegxl-lossless", "deflated-frame", "encapsulated-uncompressed",
)  # fmt: skip
PIXEL_DATA = b"\xe0\x7f\x10\0"
SMALL = IMAGE_KINDS["gray-8"].make(rows=6, columns=8, seed=5)[0]


@cache
def icon_stream(family: str) -> bytes:
    """Return the stream of an icon of 6 x 8 samples."""
    with open_dicom(convert_bytes(SMALL, to=family, lossy=family == "jpeg")) as file:
        return file.frames.read(0)


@cache
def icon_samples(family: str) -> bytes:
    """Return what the stream decodes to."""
    made = convert_bytes(SMALL, to=family, lossy=family == "jpeg")
    with open_dicom(convert_bytes(made, to="explicit-le")) as file:
        return file.frames.read(0)


def icon_elements(pixel_data: bytes, *, rows: int = 6) -> bytes:
    """Return the elements of an icon's item around a whole Pixel Data element."""
    words = (
        (0x00280010, rows), (0x00280011, 8), (0x00280100, 8), (0x00280101, 8), (0x00280102, 7),
        (0x00280103, 0),
    )  # fmt: skip
    return b"".join(
        [
            element(0x00280002, "US", b"\1\0"),
            element(0x00280004, "CS", b"MONOCHROME2 "),
            *(element(tag, "US", value.to_bytes(2, "little")) for tag, value in words if value),
            pixel_data,
        ]
    )


def encapsulated_icon(family: str) -> bytes:
    return icon_elements(encapsulated([[icon_stream(family)]], offset_table=False))


def short_icon(family: str, in_item: int, in_sequence: int) -> bytes:
    """Return an icon's sequence whose lengths are short by some bytes."""
    content = encapsulated_icon(family)
    made = marker(0xFFFEE000, len(content) - in_item) + content
    return header(ICON, "SQ", len(made) - in_sequence) + made


def nested_in_references(inner: bytes) -> bytes:
    """Return a sequence with an item that holds another sequence at its end."""
    first = element(0x00081155, "UI", b"1.2.3\0")
    return sequence(REFERENCES, item(first), item(first + inner))


@cache
def host(syntax: str, frames: int = 1) -> tuple[bytes, Samples]:
    """Return a file without an icon, and its samples."""
    kind = IMAGE_KINDS["gray-8"]
    content, samples = kind.make(rows=16, columns=12, frames=frames)
    return convert_bytes(content, to=syntax), samples


def with_elements(content: bytes, elements: bytes) -> bytes:
    """Return a file in explicit VR little endian with more elements just before Pixel Data."""
    place = content.index(PIXEL_DATA)
    return content[:place] + elements + content[place:]
