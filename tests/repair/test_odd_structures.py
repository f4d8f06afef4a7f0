"""Pixel Data of a structure that the standard does not have: read if one reading is consistent."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, DicodecError, MalformedFileError
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding
from helpers.data_set_bytes import element, header, item, sequence
from helpers.icons import ICON, host, icon_elements, icon_samples, icon_stream, with_elements
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    Samples,
    make_file,
)
from helpers.odd_files import (
    found,
    frames_of,
    relabelled,
    right,
    right_samples,
    same,
    samples_of,
    syntax_of,
)
from helpers.odd_structures import (
    ENCODINGS,
    ENDS,
    PIXEL_DATA,
    deflated,
    ending,
    items,
    native,
    undefined,
    without_pixel_data,
)
from helpers.samples import native_samples

FAMILIES = (
    "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "jpegxl-lossless", "deflated-frame", "encapsulated-uncompressed",
)  # fmt: skip
BARE = (
    "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "deflated-frame",
)  # fmt: skip
NATIVE = (IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED)
KINDS = ("odd-size", "odd-size-frames", "multi-frame", "one-bit-frames", "rgb-8-frames", "gray-32")


def check(wrong: bytes, oddity: str, samples: Samples, keep: str = "") -> None:
    """It is named, decodes to the right samples, is moved to a right file; strict refuses it."""
    assert oddity in found(wrong)
    assert same(samples_of(wrong), samples)
    keep = keep or inspect(wrong).transfer_syntax
    out = io.BytesIO()
    report = convert(wrong, out, to=keep, verify=True, set_attributes={"PatientID": "1"})
    assert oddity in {one.id for one in report.oddities}
    assert found(out.getvalue()) == []
    assert inspect(out.getvalue()).transfer_syntax == keep
    assert same(samples_of(out.getvalue()), samples)
    with pytest.raises(ContradictionError):
        convert(wrong, io.BytesIO(), to="explicit-le", strict=True)


def of_native(kind: str, syntax: str, pixel_data: bytes) -> bytes:
    start, _, _, _ = native(kind, syntax)
    content = start + pixel_data
    return deflated(content) if syntax == DEFLATED else content


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_undefined_length(kind: str, syntax: str, end: str) -> None:
    _, vr, value, samples = native(kind, syntax)
    content = of_native(kind, syntax, undefined(value, end, ENCODINGS[syntax], vr))
    check(content, "undefined-length", samples)


WHOLE_BYTES = tuple(kind for kind in KINDS if kind not in {"one-bit-frames", "odd-size-frames"})
"""Kinds of which each frame has an even number of bytes, or the only one is padded."""


def in_items(kind: str, syntax: str, table: list[bytes], parts: str) -> tuple[bytes, str, Samples]:
    """Return the items that the samples are in, the VR of Pixel Data, and the samples."""
    _, vr, value, samples = native(kind, syntax)
    size = {"one": len(value), "frames": len(value) // len(samples), "three": len(value) // 6 * 2}
    pieces = [value[at : at + size[parts]] for at in range(0, len(value), size[parts])]
    return items([*table, *pieces], ENCODINGS[syntax]), vr, samples


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("table", [[], [b""]])
@pytest.mark.parametrize(
    ("kind", "parts"),
    [(kind, parts) for kind in KINDS for parts in ("one", "three")]
    + [(kind, "frames") for kind in WHOLE_BYTES],
)
def test_samples_in_items(kind: str, syntax: str, table: list[bytes], parts: str) -> None:
    made, vr, samples = in_items(kind, syntax, table, parts)
    pixel_data = undefined(made, "delimiter", ENCODINGS[syntax], vr)
    check(of_native(kind, syntax, pixel_data), "encapsulated-under-native", samples)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("parts", ["one", "three"])
@pytest.mark.parametrize("kind", KINDS)
def test_samples_in_items_of_defined_length(kind: str, syntax: str, parts: str) -> None:
    made, vr, samples = in_items(kind, syntax, [b""], parts)
    pixel_data = element(PIXEL_DATA, vr, made, ENCODINGS[syntax])
    check(of_native(kind, syntax, pixel_data), "fragments-of-defined-length", samples)


@pytest.mark.parametrize("uid", ["", "1.2.3.4", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize("structure", ["undefined", "one item", "three items"])
def test_samples_under_other_uids(structure: str, uid: str) -> None:
    start, vr, value, samples = native("multi-frame", EXPLICIT_LE)
    parts = [value] if structure == "one item" else [value[:100], value[100:900], value[900:]]
    made = value if structure == "undefined" else items([b"", *parts])
    content = relabelled(start + undefined(made, "delimiter", vr=vr), uid)
    assert syntax_of(content) == "explicit-le"
    assert same(samples_of(content), samples)
    with pytest.raises(ContradictionError):
        convert(content, io.BytesIO(), to="explicit-le", strict=True)


@pytest.mark.parametrize("structure", ["one item", "undefined", "stream", "item delimiter"])
def test_no_cut_gives_other_samples(structure: str) -> None:
    """Wherever such a file ends, it is refused or all samples are there."""
    start, vr, value, samples = native("odd-size", EXPLICIT_LE)
    stream = frames_of(right("odd-size", "jpeg-ls"))[0]
    made = {
        "one item": undefined(items([b"", value]), "delimiter", vr=vr),
        "undefined": undefined(value, "delimiter and elements", vr=vr),
        "stream": undefined(stream, "delimiter and elements", vr=vr),
        "item delimiter": undefined(items([b"", stream]), "item delimiter and elements", vr=vr),
    }[structure]
    whole = start + made
    for end in (*range(len(start) + 1, len(whole) - 64, 61), *range(len(whole) - 64, len(whole))):
        try:
            out = convert_bytes(whole[:end], to="explicit-le")
        except DicodecError:
            continue
        assert same(native_samples(out), samples)


def test_frames_in_items_that_are_padded_each() -> None:
    content, samples = IMAGE_KINDS["odd-size-frames"].make()
    frames = [one.tobytes() for one in samples]
    made = undefined(items([b"", *frames]), "delimiter", vr="OB")
    check(without_pixel_data(content) + made, "encapsulated-under-native", samples)


@pytest.mark.parametrize("frames", [None, b"0"])
def test_samples_are_counted_if_their_number_is_not_stated(frames: bytes | None) -> None:
    content, samples = IMAGE_KINDS["multi-frame"].make(extra=[(0x00280008, "IS", b"0 ")])
    if frames is None:
        content = content.replace(element(0x00280008, "IS", b"0 "), b"")
    start = without_pixel_data(content)
    value = content[len(start) + 12 :]
    for made in (undefined(value, "delimiter"), undefined(items([b"", value]), "delimiter")):
        assert same(samples_of(start + made), samples)


BARE_CASES = [
    (family, kind, end)
    for family in BARE
    for kind in ("odd-size", "odd-size-frames")
    for end in (*ENDS, "defined")
    if kind == "odd-size" or end != "elements"  # nothing shows which stream is the last
]


@pytest.mark.parametrize(
    ("family", "kind", "end"),
    [*BARE_CASES, *(("jpegxl-lossless", "odd-size", end) for end in ("delimiter", "defined"))],
)
def test_streams_without_items(family: str, kind: str, end: str) -> None:
    content = right(kind, family)
    streams = frames_of(content)
    value = b"".join(one + b"\0" * (len(one) % 2) for one in streams)
    made = undefined(value, end, vr="OB") if end != "defined" else element(PIXEL_DATA, "OB", value)
    check(without_pixel_data(content) + made, "stream-without-items", right_samples(kind, family))


@pytest.mark.parametrize("kind", ["odd-size", "odd-size-frames"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("end", "oddity"),
    [
        ("item delimiter", "other-delimiter"),
        ("item delimiter and elements", "other-delimiter"),
        ("both delimiters", "other-delimiter"),
        ("both delimiters and elements", "other-delimiter"),
        ("zeros", "no-delimiter"),
        ("more zeros", "no-delimiter"),
        ("zeros and elements", "no-delimiter"),
        ("elements", "no-delimiter"),
        ("file", "no-delimiter"),
    ],
)
def test_other_ends_of_fragments(family: str, kind: str, end: str, oddity: str) -> None:
    content = right(kind, family)
    made = undefined(items([b"", *frames_of(content)]), end, vr="OB")
    check(without_pixel_data(content) + made, oddity, right_samples(kind, family))


@pytest.mark.parametrize("family", ["rle", "jpeg-ls"])
@pytest.mark.parametrize("end", ["delimiter", "item delimiter", "zeros"])
@pytest.mark.parametrize("outer", [IMPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("big", [False, True])
def test_fragments_in_data_sets_of_other_encodings(
    family: str, end: str, outer: str, big: bool
) -> None:
    encoding = ENCODINGS[outer]
    inner = ENCODINGS[EXPLICIT_BE if big else EXPLICIT_LE]
    content, samples = IMAGE_KINDS["multi-frame"].make(transfer_syntax=outer)
    streams = frames_of(convert_bytes(IMAGE_KINDS["multi-frame"].make()[0], to=family))
    value = items([b"", *streams], inner) + ending(end, inner)
    made = undefined(value, "file", encoding, vr="OB")
    check(
        without_pixel_data(content, encoding) + made, "encapsulated-under-native", samples, family
    )


@pytest.mark.parametrize("syntax", ["rle", "jpeg-lossless"])
def test_in_place(syntax: str, tmp_path: Path) -> None:
    content = right("odd-size", syntax)
    path = tmp_path / "a.dcm"
    path.write_bytes(
        without_pixel_data(content)
        + undefined(items([b"", *frames_of(content)]), "item delimiter and elements", vr="OB")
    )
    convert(path, path, to=syntax, overwrite=True, set_attributes={"PatientID": "1"})
    assert found(path.read_bytes()) == []
    assert same(samples_of(path.read_bytes()), right_samples("odd-size", syntax))


@pytest.mark.parametrize("family", ["rle", "jpeg-ls", "jpeg2000-lossless", "deflated-frame"])
@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_salvage_names_the_frame_that_is_damaged(family: str, damaged: int) -> None:
    """Without the item of a table no frame is shifted, the first one's damage included."""
    content = right("odd-size-frames", family)
    streams = frames_of(content)
    streams[damaged] = b"\x55" * (len(streams[damaged]) // 2 * 2)
    wrong = without_pixel_data(content) + undefined(items(streams), "delimiter", vr="OB")
    expected = np.array(right_samples("odd-size-frames", family))
    expected[damaged] = 0

    out = io.BytesIO()
    report = convert(wrong, out, to="explicit-le", salvage="fill")

    assert [one.frame for one in report.salvaged_frames] == [damaged]
    assert same(samples_of(out.getvalue()), expected)


@pytest.mark.parametrize("family", ["rle", "jpeg-ls", "jpeg2000-lossless"])
@pytest.mark.parametrize("damage", [b"\x55", b"\0"])
def test_salvage_of_a_file_that_is_cut_off_too(family: str, damage: bytes) -> None:
    content = right("odd-size-frames", family)
    first, second, third = frames_of(content)
    damaged = damage * (len(first) // 2 * 2)
    value = items([damaged, second, third])
    for cut in (len(third) // 2, len(third) + 8 + len(third) % 2):
        wrong = without_pixel_data(content) + undefined(value[:-cut], "file", vr="OB")
        expected = np.array(right_samples("odd-size-frames", family))
        expected[[0, 2]] = 0
        out = io.BytesIO()
        report = convert(wrong, out, to="explicit-le", salvage="fill")
        assert [one.frame for one in report.salvaged_frames] == [0, 2]
        assert same(samples_of(out.getvalue()), expected)


def test_a_table_of_64_bits_stays_a_table() -> None:
    content = right("odd-size-frames", "jpeg-ls")
    streams = frames_of(content)
    for kept in (3, 2):
        table = struct.pack("<3Q", 0, 500, 1000)
        value = items([table, *streams[:kept]])
        wrong = without_pixel_data(content) + undefined(value, "delimiter", vr="OB")
        assert "no-offset-table-item" not in found(wrong)


def test_what_is_neither_is_refused_with_its_cause() -> None:
    start, _, value, _ = native("multi-frame", EXPLICIT_LE)
    for wrong in (value[:-2], value + bytes(range(2, 8))):
        for end in ("delimiter", "file", "delimiter and elements"):
            with pytest.raises(MalformedFileError, match="neither 5 native frame") as error:
                inspect(start + undefined(wrong, end))
            assert error.value.hint


def test_two_readings_are_not_guessed_at() -> None:
    """Two delimiters that elements follow, and frames of no stated number."""
    content, _ = make_file(4, 4, extra=[(0x00280008, "IS", b"0 ")])
    value = bytes(range(1, 65)) + ending("delimiter") + header(0xFFFCFFFC, "OB", 44) + bytes(36)
    with pytest.raises(MalformedFileError, match="may end after 64 or 120 bytes") as error:
        inspect(without_pixel_data(content) + undefined(value, "delimiter"))
    assert error.value.hint


PLACES = ("defined", "undefined sequence", "undefined item", "undefined", "with elements behind")


def placed(content: bytes, place: str, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> bytes:
    """Return an icon's sequence around the elements of its item."""
    if place == "with elements behind":
        content += element(0x7FE10010, "LO", b"PRIVATE ", encoding)
    made = item(content, encoding, undefined=place in {"undefined item", "undefined"})
    whole = place in {"undefined sequence", "undefined"}
    return sequence(ICON, made, encoding=encoding, undefined=whole)


def icon_of(content: bytes) -> bytes:
    """Return the value of the icon's native Pixel Data."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    pixels = dataset.IconImageSequence[0]["PixelData"]
    assert not pixels.is_undefined_length
    return bytes(pixels.value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("outer", ["explicit-le", "jpeg-ls"])
@pytest.mark.parametrize("family", BARE)
@pytest.mark.parametrize(
    "structure",
    ["no table", "bare", "bare defined", "item delimiter", "zeros", "items of defined length"],
)
def test_streams_of_icons(structure: str, family: str, outer: str, place: str) -> None:
    stream = icon_stream(family) + b"\0" * (len(icon_stream(family)) % 2)
    made = {
        "no table": undefined(items([stream]), "delimiter", vr="OB"),
        "bare": undefined(stream, "delimiter", vr="OB"),
        "bare defined": element(PIXEL_DATA, "OB", stream),
        "item delimiter": undefined(items([b"", stream]), "item delimiter", vr="OB"),
        "zeros": undefined(items([b"", stream]), "zeros", vr="OB"),
        "items of defined length": element(PIXEL_DATA, "OB", items([b"", stream])),
    }[structure]
    content, samples = host(outer)
    content = with_elements(content, placed(icon_elements(made), place))
    for to in ("explicit-le", "implicit-le", outer):
        out = convert_bytes(content, to=to, verify=True)
        assert same(samples_of(out), samples)
        if to == "explicit-le" or outer != "jpeg-ls":
            assert icon_of(out) == icon_samples(family)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("structure", ["undefined", "one item", "two items", "no table", "defined"])
def test_samples_of_icons(structure: str, syntax: str, place: str) -> None:
    encoding = ENCODINGS[syntax]
    values = (np.arange(48) * 300).astype(">u2" if syntax == EXPLICIT_BE else "<u2")
    value = values.tobytes()
    parts = [value[:20], value[20:]] if structure == "two items" else [value]
    table = [] if structure == "no table" else [b""]
    if structure == "undefined":
        made = undefined(value, "delimiter", encoding)
    elif structure == "defined":
        made = element(PIXEL_DATA, "OW", items([*table, *parts], encoding), encoding)
    else:
        made = undefined(items([*table, *parts], encoding), "delimiter", encoding)
    words = {
        0x00280002: 1, 0x00280010: 6, 0x00280011: 8, 0x00280100: 16, 0x00280101: 16,
        0x00280102: 15, 0x00280103: 0,
    }  # fmt: skip
    order = "big" if syntax == EXPLICIT_BE else "little"
    elements = [
        *((tag, "US", word.to_bytes(2, order)) for tag, word in words.items()),  # type: ignore[arg-type]
        (0x00280004, "CS", b"MONOCHROME2 "),
    ]
    icon = b"".join(element(*one, encoding) for one in sorted(elements)) + made
    content, samples = make_file(4, 4, transfer_syntax=syntax)
    start = without_pixel_data(content, encoding)
    content = start + placed(icon, place, encoding) + content[len(start) :]
    for to in ("explicit-le", "jpeg-ls"):
        out = convert_bytes(content, to=to, verify=True)
        assert same(samples_of(out), samples)
        assert icon_of(out) == values.astype("<u2").tobytes()


@pytest.mark.parametrize("outer", ["jpeg-ls", "rle", "explicit-le"])
def test_samples_of_icons_in_items_of_any_file(outer: str) -> None:
    value = bytes(range(48))
    content, samples = host(outer)
    for parts in ([value], [value[:20], value[20:]]):
        made = undefined(items([b"", *parts]), "delimiter", vr="OB")
        wrong = with_elements(content, placed(icon_elements(made), "defined"))
        for to in ("explicit-le", outer):
            out = convert_bytes(wrong, to=to, verify=True)
            assert icon_of(out) == value
            assert same(samples_of(out), samples)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("outer", ["explicit-le", "jpeg-ls"])
def test_an_icon_of_no_known_content_is_no_fault_of_the_image(outer: str, place: str) -> None:
    content, samples = host(outer)
    made = undefined(b"JUNK" * 20, "delimiter", vr="OB")
    content = with_elements(content, placed(icon_elements(made), place))
    for to in ("explicit-le", outer):
        out = convert_bytes(content, to=to, verify=True)
        assert same(samples_of(out), samples)
        assert pydicom.dcmread(io.BytesIO(out)).PatientName == "Made^Image"
