"""Plans as a table: header, target and options on the left, the decision on the right."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, NamedTuple

import pytest

from dicodec import convert_bytes
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import DicodecError
from dicodec.options import ConversionOptions
from dicodec.repair.opening import open_tolerantly
from helpers.data_set_bytes import element, file_of
from helpers.made import IMAGE_KINDS, make_file

US = struct.Struct("<H").pack
PIXEL_DATA = struct.pack("<HH", 0x7FE0, 0x0010)


class Planned(NamedTuple):
    """What is decided about one conversion.

    Attributes:
        action: what is done with the frames.
        target: short name of the transfer syntax of the result.
        photometric: Photometric Interpretation of the result; "" if nobody looked at the pixels.
        bits: Bits Stored of the result.
        notes: decisions and warnings.
    """

    action: str
    target: str
    photometric: str
    bits: int
    notes: tuple[str, ...]


def planned(content: bytes, to: str, **options: Any) -> Planned:
    """Return the decision about a file; the one place that knows how a plan is built."""
    with open_tolerantly(content) as file:
        plan = plan_conversion(file, ConversionOptions(to=tuple(to.split(",")), **options))
    pixels = plan.pixels
    return Planned(
        plan.action.value,
        plan.target.name,
        pixels.result.photometric_interpretation if pixels else "",
        pixels.result.bits_stored if pixels else 0,
        (*plan.decisions, *plan.warnings),
    )


HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    # name: the kind of image, and what else its header says
    "inverted-8": ("gray-8", {"photometric": "MONOCHROME1"}),
    "windowed": (
        "gray-16",
        {"extra": [(0x00281050, "DS", b"3000"), (0x00281051, "DS", b"2000")]},
    ),
    "63 bits": ("one-bit-frames", {"rows": 9, "columns": 7}),
    "overlay in bit 12": (
        "gray-12-in-16",
        {"extra": [(0x60000100, "US", b"\x10\0"), (0x60000102, "US", b"\x0c\0")]},
    ),
    "hsv": ("rgb-8", {"photometric": "HSV"}),
    "6 of 5 frames": ("multi-frame", {"extra": [(0x00280008, "IS", b"6")]}),
    "longer": ("gray-8", {"extra": [(0x7FE00010, "OB", bytes(12 * 10 + 2))]}),
    "no size": ("gray-8", {"extra": [(0x00280010, "US", b""), (0x00280011, "US", b"")]}),
    "odd width": ("rgb-8", {"columns": 9}),
}


@cache
def source(name: str, syntaxes: str) -> bytes:
    """Return a small file of a kind, brought through transfer syntaxes one after the other."""
    kind, changes = HEADERS.get(name, (name, {}))
    content = IMAGE_KINDS[kind].make(**{"rows": 12, "columns": 10, **changes})[0]
    for syntax in syntaxes.split(">")[1:]:
        content = convert_bytes(content, to=syntax, lossy=True)
    return content


FLOATS = file_of(
    b"".join(
        element(tag, "US", US(value))
        for tag, value in (
            (0x00280002, 1), (0x00280010, 2), (0x00280011, 3), (0x00280100, 32),
        )
    )
    + element(0x7FE00008, "OF", bytes(24))
)  # fmt: skip


def options_of(text: str) -> dict[str, Any]:
    """Return options that a row names: "lossy quality=80"."""
    pairs = (one.partition("=") for one in text.split())
    return {
        name: (int(value) if value.isdigit() else value) if equals else True
        for name, equals, value in pairs
    }


# Header | transfer syntaxes of the source | targets | options | action, Photometric Interpretation
# and Bits Stored of the result, or the code of the error | decisions and warnings, in parts
ROWS = """
gray-8           | le             | explicit-le | | moved MONOCHROME2 8
gray-8           | le             | implicit-le | | moved MONOCHROME2 8
gray-12-in-16    | le             | explicit-be | | moved MONOCHROME2 12
gray-12-in-16    | le>explicit-be | deflated    | | moved MONOCHROME2 12
signed-16        | le>deflated    | explicit-le | | moved MONOCHROME2 16
gray-32          | le             | implicit-le | | moved MONOCHROME2 32
gray-32          | le             | explicit-be | | moved MONOCHROME2 32 | samples of 32 bits
hsv              | le             | implicit-le | | moved HSV 8
longer           | le             | implicit-le | | moved MONOCHROME2 8 | 2 bytes longer; kept
longer           | le             | rle         | | transcoded MONOCHROME2 8 | left out
rgb-8            | le | encapsulated-uncompressed | | reframed RGB 8
one-bit          | le | encapsulated-uncompressed | | reframed MONOCHROME2 1
63 bits          | le | encapsulated-uncompressed | | transcoded MONOCHROME2 1
gray-16 | le>explicit-be | encapsulated-uncompressed | | transcoded MONOCHROME2 16
gray-8           | le>rle     | rle | | moved MONOCHROME2 8
gray-8           | le>rle     | rle | photometric=MONOCHROME2 | moved MONOCHROME2 8
gray-8           | le>rle     | rle | offset_table=empty | reframed MONOCHROME2 8
gray-8           | le>rle     | explicit-le,rle | | moved MONOCHROME2 8
gray-8           | le>jpeg-ls | jpeg-ls-near | | moved MONOCHROME2 8
gray-8           | le>htj2k-lossless    | htj2k    | | moved MONOCHROME2 8
gray-8           | le>jpeg2000-lossless | jpeg2000 | | moved MONOCHROME2 8
gray-8           | le>jpeg2000-lossless | jpeg2000 | ratio=9 | transcoded MONOCHROME2 8
rgb-8            | le>jpeg             | jpeg | | moved YBR_FULL_422 8
rgb-8            | le>jpeg             | jpegxl-jpeg | | repacked YBR_FULL_422 8
rgb-8            | le>jpeg>jpegxl-jpeg | jpeg | | unpacked YBR_FULL_422 8
rgb-8            | le>jpeg>jpegxl-jpeg | jpeg | quality=50 | transcoded YBR_FULL_422 8 | codec
rgb-8            | le>jpeg             | jpegxl-jpeg | photometric=RGB | unsupported-image
rgb-8            | le                  | jpegxl-jpeg | | unsupported-image
rgb-8            | le>jpeg             | explicit-le | | transcoded YBR_FULL 8

gray-12-in-16    | le | rle               | | transcoded MONOCHROME2 12
gray-12-in-16    | le | jpeg-lossless     | | transcoded MONOCHROME2 12
gray-12-in-16    | le | jpeg-ls           | | transcoded MONOCHROME2 12
gray-12-in-16    | le | jpeg2000-lossless | | transcoded MONOCHROME2 12
gray-12-in-16    | le | htj2k-lossless    | | transcoded MONOCHROME2 12
gray-12-in-16    | le | htj2k-rpcl        | | transcoded MONOCHROME2 12
gray-12-in-16    | le | jpegxl-lossless   | | transcoded MONOCHROME2 12
gray-12-in-16    | le | deflated-frame    | | transcoded MONOCHROME2 12
signed-12-in-16  | le | jpeg-ls           | | transcoded MONOCHROME2 12
signed-12-in-16  | le | jpeg2000-lossless | | transcoded MONOCHROME2 12
signed-16        | le | jpegxl-lossless   | | transcoded MONOCHROME2 16
gray-32          | le | rle               | | transcoded MONOCHROME2 32
gray-32          | le | jpeg-ls           | | unsupported-image
gray-32          | le | jpeg-ls,rle       | | transcoded MONOCHROME2 32
one-bit          | le | rle               | | transcoded MONOCHROME2 1
one-bit          | le | deflated-frame    | | transcoded MONOCHROME2 1
one-bit          | le | jpeg-ls           | | unsupported-image
rgb-8            | le | rle               | | transcoded RGB 8
rgb-8-by-plane   | le | jpeg-ls           | | transcoded RGB 8
rgb-16           | le | jpeg-lossless     | | transcoded RGB 16
rgb-8            | le | jpeg2000-lossless | | transcoded YBR_RCT 8 | stored as YBR_RCT
rgb-8            | le | htj2k-lossless    | photometric=RGB | transcoded RGB 8 | without a component
rgb-8            | le>jpeg2000-lossless | explicit-le | | transcoded RGB 8
ybr-full-8       | le | jpeg-ls           | | transcoded YBR_FULL 8
palette          | le | jpeg-ls           | | transcoded PALETTE COLOR 8
hsv              | le | jpeg-ls           | | unsupported-image
overlay in bit 12 | le | implicit-le      | | moved MONOCHROME2 12
overlay in bit 12 | le | rle | | transcoded MONOCHROME2 12 | the overlay in bit 12

gray-8           | le | jpeg          | | lossy-not-allowed
gray-8           | le | jpeg2000      | | lossy-not-allowed
gray-8           | le | jpegxl        | | lossy-not-allowed
gray-8           | le | jpeg          | near=2 | lossy-not-allowed
gray-8           | le | jpeg,jpeg-ls  | | transcoded MONOCHROME2 8
gray-8           | le | jpeg          | lossy | transcoded MONOCHROME2 8
gray-8           | le | jpeg          | quality=80 | transcoded MONOCHROME2 8
gray-8           | le | jpeg          | quality=80 near=2 | transcoded MONOCHROME2 8 | passed over
gray-8           | le | jpeg-ls-near  | near=0 | transcoded MONOCHROME2 8
gray-12-in-16    | le | jpeg          | lossy | unsupported-image
gray-12-in-16    | le | jpeg-extended | lossy | transcoded MONOCHROME2 12
gray-12-in-16    | le | jpeg,jpeg-extended | lossy | transcoded MONOCHROME2 12
signed-12-in-16  | le | jpeg-extended | lossy | unsupported-image
gray-16          | le | jpeg   | lossy rescale_to_8bit | transcoded MONOCHROME2 8 | smallest to the
windowed         | le | jpeg   | lossy rescale_to_8bit | transcoded MONOCHROME2 8 | window 3000
windowed         | le | rle    | rescale_to_8bit | transcoded MONOCHROME2 8 | window 3000, 2000
gray-8           | le | rle    | rescale_to_8bit | transcoded MONOCHROME2 8
rgb-8            | le | jpeg   | lossy | transcoded YBR_FULL_422 8 | stored as YBR_FULL_422
rgb-8            | le | jpeg   | lossy photometric=keep | transcoded RGB 8
rgb-8            | le | jpeg   | lossy photometric=RGB | transcoded RGB 8
rgb-8            | le | jpeg2000 | lossy | transcoded YBR_ICT 8 | stored as YBR_ICT
ybr-full-8       | le | jpeg2000 | lossy | transcoded YBR_ICT 8 | converted to RGB; as YBR_ICT
palette          | le | jpeg   | lossy | transcoded YBR_FULL_422 8 | to RGB of 8; as YBR_FULL_422
palette          | le | jpeg-ls-near | near=1 | transcoded RGB 8 | to RGB of 8 bits

inverted-8       | le | rle         | photometric=MONOCHROME2 | transcoded MONOCHROME2 8 | inverted
gray-8           | le | explicit-le | photometric=MONOCHROME1 | transcoded MONOCHROME1 8 | inverted
inverted-8       | le | rle         | photometric=keep | transcoded MONOCHROME1 8
rgb-8            | le | explicit-le | photometric=YBR_FULL | transcoded YBR_FULL 8 | rounded
ybr-full-8       | le | rle         | photometric=RGB | transcoded RGB 8 | converted to RGB; rounded
odd width        | le | explicit-le | photometric=YBR_FULL_422 | unsupported-image
palette          | le | explicit-le | photometric=RGB | transcoded RGB 8 | to RGB of 8 bits
gray-8           | le | rle         | photometric=RGB | unsupported-image
rgb-8            | le | rle         | photometric=MONOCHROME2 | unsupported-image

gray-8           | le | mpeg2-main-profile | | unsupported-target
gray-8           | le | no-such-syntax     | | unsupported-target
gray-8           | le | ge-private         | | unsupported-target
6 of 5 frames    | le | rle                | | truncated-frame
no size          | le | rle                | | malformed-file
no size          | le | explicit-be        | | malformed-file
"""


def rows() -> list[list[str]]:
    """Return the cells of each row."""
    cells = [[*map(str.strip, line.split("|"))] for line in ROWS.splitlines() if line]
    return [[*row, ""][:6] for row in cells]


@pytest.mark.parametrize(
    ("name", "syntaxes", "to", "options", "expected", "notes"),
    rows(),
    ids=["-".join(filter(None, row[:4])) for row in rows()],
)
def test_a_header_and_options_lead_to_a_plan(
    name: str, syntaxes: str, to: str, options: str, expected: str, notes: str
) -> None:
    content = source(name, syntaxes)
    if " " not in expected:
        with pytest.raises(DicodecError) as raised:
            planned(content, to, **options_of(options))
        assert raised.value.code == expected
        return

    found = planned(content, to, **options_of(options))

    assert f"{found.action} {found.photometric} {found.bits}" == expected
    assert found.target in to.split(",")
    wanted = notes.split("; ") if notes else []
    assert all(any(note in text for text in found.notes) for note in wanted), found.notes
    assert (not wanted) == (not found.notes), found.notes


def test_a_data_set_without_pixels_stays_native() -> None:
    plain = file_of(element(0x00080060, "CS", b"SR"))

    assert planned(plain, "implicit-le") == Planned("none", "implicit-le", "", 0, ())
    found = planned(plain, "rle", lossy=True)
    assert found[:4] == ("none", "explicit-le", "", 0)
    assert len(found.notes) == 1
    assert "no pixels to store as rle" in found.notes[0]


def test_a_table_has_no_row_twice() -> None:
    asked = [tuple(row[:4]) for row in rows()]
    assert len(set(asked)) == len(asked) > 90


def restated(name: str, through: str, **changes: Any) -> bytes:
    """Return an encapsulated file whose data set says something else than its streams."""
    with open_tolerantly(source(name, f"le>{through}")) as file:
        count = file.frames.image.number_of_frames
        frames = [[file.frames.read(frame)] for frame in range(count)]
        uid = file.syntax.uid
    fields = {"rows": 12, "columns": 10, **changes}
    return IMAGE_KINDS[name].make(transfer_syntax=uid, streams=frames, **fields)[0]


VIDEO = "1.2.840.10008.1.2.4.102"
FILM = make_file(12, 10, 3, 8, 8, photometric="RGB", transfer_syntax=VIDEO, streams=[[b"film"]])[0]
REFUSED = {
    "cut": (source("multi-frame", "le>rle")[:-20], "explicit-le", {}, "truncated-frame"),
    "cut, moved": (source("multi-frame", "le>rle")[:-20], "rle", {}, "truncated-frame"),
    "cut, native": (source("gray-8", "le")[:-20], "implicit-le", {}, "truncated-frame"),
    "cut, undescribed": (source("no size", "le")[:-20], "implicit-le", {}, "truncated-file"),
    "precision": (
        restated("gray-12-in-16", "jpeg2000-lossless", bits_stored=10), "rle", {"strict": True},
        "contradiction",
    ),
    "precision, moved": (
        restated("gray-12-in-16", "jpeg2000-lossless", bits_stored=10), "jpeg2000-lossless",
        {"strict": True},
        "contradiction",
    ),
    "sign": (
        restated("gray-16", "jpeg2000-lossless", signed=True), "rle", {"strict": True},
        "contradiction",
    ),
    "color": (
        restated("rgb-8", "jpeg2000-lossless", photometric="RGB"), "rle", {"strict": True},
        "contradiction",
    ),
    "video": (FILM, "explicit-le", {}, "unsupported-source"),
    "cut video": (FILM[:-10], VIDEO, {}, "truncated-file"),
    "floats": (
        FLOATS, "rle", {}, "unsupported-image",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_before_anything_is_written(name: str) -> None:
    content, to, options, code = REFUSED[name]
    with pytest.raises(DicodecError) as raised:
        planned(content, to, **options)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("content", "to", "expected", "note"),
    [
        (source("no size", "le"), "implicit-le", ("moved", "", 0), ""),
        (FILM, VIDEO, ("moved", "", 0), ""),
        (
            restated("gray-12-in-16", "jpeg2000-lossless", bits_stored=10),
            "rle",
            ("transcoded", "MONOCHROME2", 10),
            "samples have 12 bits",
        ),
        (
            restated("gray-16", "jpeg2000-lossless", signed=True),
            "rle",
            ("transcoded", "MONOCHROME2", 16),
            "unsigned",
        ),
        (
            restated("rgb-8", "jpeg2000-lossless", photometric="RGB"),
            "rle",
            ("transcoded", "RGB", 8),
            "taken as YBR_RCT",
        ),
    ],
    ids=["undescribed", "video", "precision", "sign", "color"],
)
def test_what_streams_say_decides(
    content: bytes, to: str, expected: tuple[str, str, int], note: str
) -> None:
    found = planned(content, to)

    assert (found.action, found.photometric, found.bits) == expected
    assert all(note in text for text in found.notes), found.notes
    assert bool(note) == bool(found.notes)
