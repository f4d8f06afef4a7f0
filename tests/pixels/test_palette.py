"""Palette Color Lookup Tables, against pydicom and by hand."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from dicodec.errors import MalformedFileError
from dicodec.model.image import ImagePixelDescription
from dicodec.pixels.palette import Palette, make_color_table, make_palette, make_palette_steps

NAMES = ("red", "green", "blue")


def image_of(samples: NDArray[Any]) -> ImagePixelDescription:
    bits = samples.itemsize * 8
    return ImagePixelDescription(
        rows=samples.shape[0],
        columns=samples.shape[1],
        samples_per_pixel=1,
        photometric_interpretation="PALETTE COLOR",
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=int(samples.dtype.kind == "i"),
    )


def read(
    data: tuple[bytes, bytes, bytes],
    entries: int,
    first: int = 0,
    bits: int = 16,
    *,
    segmented: bool = False,
) -> Palette:
    tables = [
        make_color_table(
            name,
            (entries & 0xFFFF, first, bits),
            struct.unpack(f"<{len(one) // 2}H", one[: len(one) // 2 * 2]),
            one,
            segmented=segmented,
        )
        for name, one in zip(NAMES, data, strict=True)
    ]
    return make_palette(tables, bits)


def theirs(
    samples: NDArray[Any],
    data: tuple[bytes, bytes, bytes],
    entries: int,
    first: int,
    bits: int,
    *,
    segmented: bool = False,
) -> NDArray[Any]:
    """Return what pydicom makes of the same tables."""
    dataset = Dataset()
    dataset._read_charset = "iso8859"
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    vr = "SS" if samples.dtype.kind == "i" else "US"
    for number, one in enumerate(data):
        dataset.add_new(0x00281101 + number, vr, [entries, first, bits])
        dataset.add_new((0x00281221 if segmented else 0x00281201) + number, "OW", one)
    return apply_color_lut(samples, dataset)


@st.composite
def plain_tables(draw: st.DrawFn) -> tuple[tuple[bytes, bytes, bytes], int, int, int]:
    """Data of three tables, entries, first mapped value, bits."""
    bits = draw(st.sampled_from([8, 16]))
    entries = draw(st.integers(1, 40)) * 2
    size = entries * bits // 8
    data = tuple(draw(st.binary(min_size=size, max_size=size)) for _ in NAMES)
    return data, entries, draw(st.integers(0, 300)), bits  # type: ignore[return-value]


@given(plain_tables(), st.data())
def test_tables_color_as_pydicom_does(
    drawn: tuple[tuple[bytes, bytes, bytes], int, int, int], data: st.DataObject
) -> None:
    tables, entries, first, bits = drawn
    # pydicom's indices wrap at 256 where the entries have 8 bits.
    highest = first + 255 if bits == 8 else 400
    values = data.draw(st.lists(st.integers(0, highest), min_size=6, max_size=6))
    samples = np.array(values, np.uint16).reshape(2, 3)
    found = read(tables, entries, first, bits)
    step = make_palette_steps(found)[0]

    colors = step.apply(samples, image_of(samples))

    expected = theirs(samples, tables, entries, first, bits)
    if bits == 16 and found.bits == 8:  # tables that hold 8 bits only
        assert expected.max() <= 255
    elif bits == 16 and found.reducible:
        expected = expected >> 8
    assert np.array_equal(colors, expected)
    assert step.describe(image_of(samples)).bits_stored == (8 if colors.itemsize == 1 else 16)
    assert not step.rounds


def test_sixteen_bits_are_exact_first_and_halved_where_a_target_has_eight() -> None:
    table = struct.pack("<4H", 0, 0x1234, 0x80FF, 0xFFFF)
    samples = np.array([[0, 1], [2, 3]], np.uint8)

    exact, halved = make_palette_steps(read((table, table, table), 4))

    assert exact.apply(samples, image_of(samples))[..., 0].tolist() == [
        [0, 0x1234],
        [0x80FF, 65535],
    ]
    assert halved.apply(samples, image_of(samples))[..., 0].tolist() == [[0, 0x12], [0x80, 0xFF]]
    assert (exact.bits, halved.bits) == (16, 8)
    assert (exact.rounds, halved.rounds) == (False, True)


@pytest.mark.parametrize("factor", [256, 257])
def test_eight_bits_scaled_to_sixteen_are_eight(factor: int) -> None:
    table = struct.pack("<3H", *(value * factor for value in (3, 200, 255)))
    (step,) = make_palette_steps(read((table, table, table), 3))
    samples = np.array([[0, 1, 2]], np.uint8)

    assert step.bits == 8
    assert not step.rounds
    assert step.apply(samples, image_of(samples))[0, :, 1].tolist() == [3, 200, 255]


def test_what_is_in_the_lower_bytes_only_has_eight_bits_whatever_is_said() -> None:
    table = struct.pack("<3H", 3, 200, 255)
    found = read((table, table, table), 3)

    assert found.bits == 8
    assert "16 bits and have 8" in found.notes[0]


def test_eight_bit_entries_in_words_of_sixteen() -> None:
    table = struct.pack("<4H", 3, 200, 255, 0)
    found = read((table, table, table), 4, bits=8)

    assert found.bits == 8
    assert found.tables[0].entries == (3, 200, 255, 0)


def test_samples_outside_the_table_get_its_ends() -> None:
    table = bytes([10, 20, 30, 40])
    (step,) = make_palette_steps(read((table, table, table), 4, first=100, bits=8))
    samples = np.array([[0, 100, 101], [103, 104, 255]], np.uint8)

    assert step.apply(samples, image_of(samples))[..., 2].tolist() == [[10, 10, 20], [40, 40, 40]]


def test_a_negative_first_mapped_value() -> None:
    table = bytes([10, 20, 30, 40])
    (step,) = make_palette_steps(read((table, table, table), 4, first=-2, bits=8))
    samples = np.array([[-100, -2, -1], [0, 1, 100]], np.int16)

    colors = step.apply(samples, image_of(samples))
    assert colors[..., 0].tolist() == [[10, 10, 20], [30, 40, 40]]
    assert np.array_equal(colors, theirs(samples, (table, table, table), 4, -2, 8))
    assert step.describe(image_of(samples)).pixel_representation == 0


def test_a_table_of_all_values() -> None:
    ramp = np.arange(1 << 16, dtype="<u2").tobytes()
    found = read((ramp, ramp, ramp), 1 << 16)

    assert len(found.tables[0].entries) == 1 << 16


def test_a_table_shorter_than_it_says_is_read_and_noted() -> None:
    table = struct.pack("<3H", 0x100, 0x201, 0xFFFF)
    found = read((table, table, table), 8)

    assert found.tables[1].entries == (0x100, 0x201, 0xFFFF)
    assert "3 of 8 entries" in found.notes[0]


@pytest.mark.parametrize("bits", [8, 16])
def test_segments_expand_as_pydicom_has_them(bits: int) -> None:
    top = (1 << bits) - 1
    # discrete 2: 0, top; linear 4 to 10; discrete 1: 7; linear 3 to 7 (flat)
    numbers = (0, 2, 0, top, 1, 4, 10, 0, 1, 7, 1, 3, 7, 0)
    data = struct.pack(f"<{len(numbers)}{'B' if bits == 8 else 'H'}", *numbers)
    found = read((data, data, data), 10, bits=bits, segmented=True)
    samples = np.arange(10, dtype=np.uint8).reshape(2, 5)

    colors = make_palette_steps(found)[0].apply(samples, image_of(samples)).astype(int)

    expected = theirs(samples, (data, data, data), 10, 0, bits, segmented=True).astype(int)
    assert np.abs(colors - expected).max() <= 1  # halves are rounded up, by pydicom to even


def test_an_indirect_segment_repeats_earlier_ones() -> None:
    """PS3.3 C.7.9.2.3: its offset is in bytes; a linear one goes on from the entry before."""
    # words: discrete 2 (1000, 2000) at 0, linear 2 to 4000 at byte 8, indirect: 1 segment from 8
    data = struct.pack("<13H", 0, 2, 1000, 2000, 1, 2, 4000, 0, 1, 8000, 2, 1, 8) + b"\0\0"
    found = read((data, data, data), 7, segmented=True)

    assert found.tables[0].entries == (1000, 2000, 3000, 4000, 8000, 6000, 4000)


@pytest.mark.parametrize(
    "numbers",
    [
        (1, 2, 5),  # a linear one first
        (0, 3, 1),  # cut short
        (3, 1, 1),  # of no kind
        (0, 1, 5, 2, 1),  # an indirect one without its offset
        (0, 1, 5, 2, 2, 0, 0),  # one that runs into itself
        (),
    ],
)
def test_segments_that_are_none(numbers: tuple[int, ...]) -> None:
    data = struct.pack(f"<{len(numbers)}H", *numbers)

    with pytest.raises(MalformedFileError):
        read((data, data, data), 4, segmented=True)


def test_no_more_is_expanded_than_a_table_can_hold() -> None:
    data = struct.pack("<8H", 0, 1, 5, 1, 0xFFFF, 9, 1, 0xFFFF) + b"\1\0"

    with pytest.raises(MalformedFileError, match="more entries"):
        read((data, data, data), 0, segmented=True)
