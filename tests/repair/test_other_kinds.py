"""Values whose stated VR is of another kind than the dictionary's, and UN in big endian."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.conversion.calls import convert as call
from dicodec.errors import MalformedFileError
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicodec.part10.other_kinds import convert_value, is_of_another_kind, read_stated_number
from helpers.data_set_bytes import data_set_of, element, item, sequence
from helpers.icons import with_elements
from helpers.made import EXPLICIT_BE, IMAGE_KINDS, make_file

THICKNESS, NUMBER, FRAMES, SLOPE = 0x00180050, 0x00200013, 0x00280008, 0x00281053
TARGETS = ("explicit-le", "implicit-le", "explicit-be", "deflated", "rle")
ORDERS = (EXPLICIT_LITTLE, EXPLICIT_BIG)


def read(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def with_element(tag: int, vr: str, value: bytes, **kind: Any) -> bytes:
    return make_file(6, 5, extra=[(tag, vr, value)], **kind)[0]


ROWS = [
    # tag, stated VR, value in little endian, what it means
    (THICKNESS, "FD", struct.pack("<d", 2.5), 2.5),
    (THICKNESS, "FL", struct.pack("<f", 0.1), 0.1),
    (THICKNESS, "US", struct.pack("<H", 7), 7),
    (SLOPE, "FD", struct.pack("<d", -1 / 3), -0.3333333333333),
    (0x00280030, "FD", struct.pack("<2d", 0.5, 0.25), [0.5, 0.25]),
    (NUMBER, "SL", struct.pack("<i", -3), -3),
    (NUMBER, "FD", struct.pack("<d", 12), 12),
    (0x00281050, "FL", struct.pack("<f", 1e30), 1e30),
    (0x00189087, "DS", b"1000.5", 1000.5),
    (0x00186060, "IS", b"3", 3.0),
    (0x00280009, "UL", struct.pack("<I", 0x00181063), None),
    (0x00280006, "IS", b"0", 0),
    (0x00180082, "FL", struct.pack("<f", 1.5), 1.5),
]


@pytest.mark.parametrize(("tag", "vr", "value", "meaning"), ROWS)
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_a_value_means_the_same_without_its_vr(
    tag: int, vr: str, value: bytes, meaning: Any, *, nested: bool, big: bool
) -> None:
    if nested:
        content = with_elements(
            make_file(6, 5)[0],
            sequence(0x00400275, item(element(tag, vr, value + b" " * (len(value) % 2)))),
        )
    else:
        content = with_element(tag, vr, value)
    if big:
        content = convert_bytes(content, to="explicit-be")

    out = io.BytesIO()
    report = call(content, out, to="implicit-le", verify=True)

    level = read(out.getvalue())
    level = level.RequestAttributesSequence[0] if nested else level
    if meaning is not None:
        assert level[tag].value == pytest.approx(meaning, rel=1e-12)
    assert compare(content, out.getvalue()).equal
    kinds = {one.id for one in report.oddities}
    assert kinds == ({"value-of-another-kind"} if meaning is not None else set())
    again = convert_bytes(out.getvalue(), to="explicit-le")
    assert compare(out.getvalue(), again).equal


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00280006, "DS", b"1.5 "), (0x00280106, "IS", b"70000 "), (NUMBER, "FD", b"\x7f" * 8),
        (0x00280006, "LO", b"zero"), (THICKNESS, "FD", struct.pack("<d", float("nan"))),
        (0x00080020, "US", b"\1\0"), (NUMBER, "FD", struct.pack("<d", 1e10)),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_warned_of(tag: int, vr: str, value: bytes) -> None:
    content = with_element(tag, vr, value)

    out = io.BytesIO()
    report = call(content, out, to="implicit-le", verify=True)

    (warning,) = report.warnings
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is stated as {vr}" in warning
    assert (
        tag.to_bytes(4, "big")[1::-1]
        + tag.to_bytes(4, "big")[:1:-1]
        + struct.pack("<I", len(value))
        + value
        in out.getvalue()
    )
    report = call(content, io.BytesIO(), to="explicit-be", verify=True)
    assert not report.warnings


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize(
    "stated",
    [{0x00280100: "IS", 0x00280101: "IS"}, {0x00280010: "DS", 0x00280011: "LO"},
     {0x00280103: "IS", 0x00280002: "UL"}, {0x00280010: "FD", 0x00280011: "FL"},
     {0x00280010: "UV", 0x00280102: "SS"}],
)  # fmt: skip
def test_what_describes_pixels_is_read_by_its_stated_vr(
    stated: dict[int, str], to: str, tmp_path: Path
) -> None:
    kind = IMAGE_KINDS["signed-12-in-16"]
    right, samples = kind.make(rows=7, columns=9)
    numbers = {0x00280010: 7, 0x00280011: 9, 0x00280100: 16, 0x00280101: 12, 0x00280102: 11,
               0x00280103: 1, 0x00280002: 1}  # fmt: skip
    codes = {"UL": "<I", "FD": "<d", "FL": "<f", "UV": "<Q", "SS": "<h"}
    extra = [
        (tag, vr, struct.pack(codes[vr], numbers[tag]) if vr in codes else b"%d" % numbers[tag])
        for tag, vr in stated.items()
    ]
    content = kind.make(rows=7, columns=9, extra=extra)[0]

    for given in (content, convert_bytes(content, to="explicit-be")):
        result = convert_bytes(given, to=to, verify=True)
        again = convert_bytes(result, to="explicit-le")
        assert samples.astype("<i2").tobytes() in again
        found = compare(right, result)
        assert found.pixels is not None
        assert found.pixels.equal
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    convert(path, path, to=to, overwrite=True)
    assert compare(content, path).equal


def test_number_of_frames_may_be_a_binary_number() -> None:
    kind = IMAGE_KINDS["multi-frame"]
    content, samples = kind.make(extra=[(FRAMES, "US", struct.pack("<H", 5))])

    for to in ("implicit-le", "rle"):
        result = convert_bytes(content, to=to, verify=True)
        assert read(result).NumberOfFrames == 5
        assert (read(convert_bytes(result, to="implicit-le")).pixel_array == samples).all()


def test_the_standard_form_has_the_dictionarys_vr() -> None:
    content = with_element(THICKNESS, "FD", struct.pack("<d", 2.5))

    out = io.BytesIO()
    report = call(content, out, to="explicit-be", standardize=True, verify=True)

    assert [one.id for one in report.repairs] == ["value-of-another-kind"]
    found = read(out.getvalue())[THICKNESS]
    assert (found.VR, found.value) == ("DS", 2.5)


def test_kinds_and_numbers() -> None:
    assert not is_of_another_kind("US", "SS")
    assert not is_of_another_kind("OW", "US")
    assert not is_of_another_kind("LO", "CS")
    assert not is_of_another_kind("UN", "DS")
    assert is_of_another_kind("FL", "UL")
    assert is_of_another_kind("UL", "US")
    assert read_stated_number("IS", b" 7 ", EXPLICIT_LITTLE) == 7
    assert read_stated_number("DS", b"7.5", EXPLICIT_LITTLE) is None
    assert read_stated_number("DS", b"", EXPLICIT_LITTLE) is None
    assert read_stated_number("UN", b"\1\0", EXPLICIT_BIG) == 1
    assert read_stated_number("", b"\1\0", IMPLICIT_LITTLE) == 1
    assert read_stated_number("LO", b"one", EXPLICIT_LITTLE) is None
    for order in ORDERS:
        made = convert_value(b"1\\-2", "IS", "SS", EXPLICIT_LITTLE, order)
        assert made == struct.pack(order.order + "2h", 1, -2)
    with pytest.raises(MalformedFileError):
        convert_value(b"-1", "IS", "US", EXPLICIT_LITTLE, EXPLICIT_LITTLE)


# UN in big endian holds little endian (PS3.5 6.2.2).


def big_endian(tags: tuple[int, ...], bits: int = 8, **kind: Any) -> tuple[bytes, bytes]:
    """Return a file in big endian in which some elements are UN, and the right file."""
    right = make_file(4, 192, bits_allocated=bits, bits_stored=bits, transfer_syntax=EXPLICIT_BE)[0]
    content = right
    with_numbers = {0x00280010: 4, 0x00280011: 192, 0x00280100: bits, 0x00280103: 0}
    for tag in tags:
        old = element(tag, "US", struct.pack(">H", with_numbers[tag]), EXPLICIT_BIG)
        new = element(tag, "UN", struct.pack("<H", with_numbers[tag]), EXPLICIT_BIG)
        assert old in content
        content = content.replace(old, new)
    return content, right


@pytest.mark.parametrize("tags", [(0x00280010, 0x00280011), (0x00280100,), (0x00280103,)])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("to", TARGETS)
def test_unknown_values_are_in_little_endian(tags: tuple[int, ...], bits: int, to: str) -> None:
    content, right = big_endian(tags, bits)

    result = convert_bytes(content, to=to, verify=True)

    assert compare(right, result).equal
    assert compare(content, result).equal
    if to == "implicit-le":
        assert result == convert_bytes(right, to=to)
    standard = convert_bytes(content, to="explicit-be", standardize=True)
    assert data_set_of(standard) == data_set_of(right)


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("to", ["implicit-le", "explicit-le", "explicit-be", "deflated"])
def test_unknown_samples_are_in_little_endian(bits: int, to: str) -> None:
    little, samples = make_file(5, 7, bits_allocated=bits, bits_stored=bits)
    value = samples.astype(f"<u{bits // 8}").tobytes()
    value += b"\0" * (len(value) % 2)
    big = make_file(5, 7, bits_allocated=bits, bits_stored=bits, transfer_syntax=EXPLICIT_BE)[0]
    content = big[: big.index(b"\x7f\xe0\0\x10")] + element(0x7FE00010, "UN", value, EXPLICIT_BIG)

    result = convert_bytes(content, to=to, verify=True)

    found = np.frombuffer(convert_bytes(result, to="explicit-le")[-len(value) :], f"<u{bits // 8}")
    assert (found[: samples.size] == samples.reshape(-1)).all()
    assert compare(little, result).pixels.equal  # type: ignore[union-attr]


def test_long_text_without_a_vr_is_unknown_and_not_swapped_in_big_endian() -> None:
    implicit = make_file(4, 4, transfer_syntax="1.2.840.10008.1.2")[0]
    place = implicit.index(b"\xe0\x7f\x10\0")
    words = struct.pack("<40000H", *range(40000))
    for count in (1, 20):  # held in memory, and moved in pieces
        value = words * count
        made = element(0x00280106, "US", value, IMPLICIT_LITTLE)
        content = implicit[:place] + made + implicit[place:]
        result = convert_bytes(content, to="explicit-be", verify=True)
        assert element(0x00280106, "UN", value, EXPLICIT_BIG) in result
        assert made in convert_bytes(result, to="implicit-le", verify=True)
