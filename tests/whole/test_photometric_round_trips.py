"""There and back again through whole files, for any pixels: each photometric step in its bound.

The bounds are those of docs/photometric.md. The arithmetic alone is in tests/pixels.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut

from dicodec import convert_bytes
from helpers.made import Element, make_file

Pixels = NDArray[Any]

LOSSLESS = st.sampled_from(["explicit-be", "rle", "deflated-frame", "jpeg-ls", "jpeg2000-lossless"])
FEW = settings(max_examples=40, deadline=None)
SIDES = st.integers(1, 9)


def header(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def samples_of(data: bytes) -> Pixels:
    """Return the samples of a native file of color, by pixel, as pydicom reads its bytes."""
    dataset = header(convert_bytes(data, to="explicit-le"))
    shape = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    size = dataset.BitsAllocated // 8
    return np.frombuffer(dataset.PixelData, f"<u{size}", int(np.prod(shape))).reshape(shape)


def words(values: list[int], signed: bool) -> tuple[str, bytes]:
    code = "h" if signed else "H"
    return "SS" if signed else "US", struct.pack(f"<{len(values)}{code}", *values)


@st.composite
def gray_files(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A gray file with what follows its stored values, and the range of these."""
    allocated = draw(st.sampled_from([8, 16, 32]))
    stored = draw(st.integers(2, allocated))
    signed = draw(st.booleans())
    low = -(1 << stored - 1) if signed else 0
    high = low + (1 << stored) - 1
    pixels = draw(
        npst.arrays(
            f"<{'i' if signed else 'u'}{allocated // 8}",
            st.tuples(st.integers(1, 2), SIDES, SIDES),
            elements=st.integers(low, high),
        )
    )
    extra: list[Element] = []
    if stored <= 16:
        numbers = st.integers(low, high)
        extra += [
            (tag, *words([draw(numbers)], signed))
            for tag in (0x00280106, 0x00280107, 0x00280120, 0x00280121)
        ]
    center = draw(st.decimals(-4000, 4000, places=2))
    slope = draw(st.sampled_from(["1", "0.5", "2.25"]))
    function = draw(st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))
    extra += [
        (0x00281050, "DS", str(center).encode()), (0x00281051, "DS", b"200"),
        (0x00281052, "DS", b"-10"), (0x00281053, "DS", slope.encode()),
        (0x00281056, "CS", function.encode()), (0x20500020, "CS", b"IDENTITY"),
    ]  # fmt: skip
    frames, rows, columns = pixels.shape
    data, _ = make_file(
        rows, columns, 1, allocated, stored, signed, frames=frames, pixels=pixels, extra=extra
    )
    return data, low, high


@FEW
@given(gray_files())
def test_gray_levels_inverted_twice_are_what_they_were(drawn: tuple[bytes, int, int]) -> None:
    """PITFALLS of others: inverted samples with window and padding as they were."""
    data, low, high = drawn
    inverted = convert_bytes(data, to="explicit-be", photometric="MONOCHROME1", verify=True)
    back = convert_bytes(inverted, to="explicit-le", photometric="MONOCHROME2", verify=True)

    before, after = header(data), header(back)
    assert bytes(after.PixelData) == bytes(before.PixelData)
    for element in before:
        if element.keyword == "WindowCenter":
            assert abs(float(element.value) - float(after.WindowCenter)) < 1e-9
        else:
            assert after[element.tag].value == element.value, element.keyword
    # Each attribute by itself: what a reader of the inverted file computes is the mirror image.
    middle = header(inverted)
    for keyword, other in (
        ("PixelPaddingValue", "PixelPaddingValue"),
        ("PixelPaddingRangeLimit", "PixelPaddingRangeLimit"),
        ("SmallestImagePixelValue", "LargestImagePixelValue"),
    ):
        if keyword in before:
            assert middle[other].value == low + high - before[keyword].value


@st.composite
def color_files(draw: st.DrawFn, photometric: str, even: bool = False) -> tuple[bytes, Pixels]:
    size = draw(st.sampled_from([1, 2]))
    columns = 2 * draw(st.integers(1, 5)) if even else draw(SIDES)
    pixels = draw(
        npst.arrays(
            f"<u{size}", (1, draw(SIDES), columns, 3), elements=st.integers(0, 256**size - 1)
        )
    )
    return make_file(
        pixels.shape[1], columns, 3, 8 * size, 8 * size, photometric=photometric, pixels=pixels
    )


@FEW
@given(color_files("RGB"), LOSSLESS)
def test_rgb_comes_back_from_ybr_full_within_two(drawn: tuple[bytes, Pixels], to: str) -> None:
    data, pixels = drawn
    ybr = convert_bytes(data, to=to, photometric="YBR_FULL", verify=True)
    back = convert_bytes(ybr, to="explicit-le", photometric="RGB", verify=True)

    assert header(ybr).PhotometricInterpretation == "YBR_FULL"
    assert np.abs(samples_of(back).astype(int) - pixels[0].astype(int)).max() <= 2


@FEW
@given(color_files("RGB"))
def test_rgb_comes_back_from_ybr_rct_exactly(drawn: tuple[bytes, Pixels]) -> None:
    data, pixels = drawn
    stream = convert_bytes(data, to="jpeg2000-lossless", verify=True)

    assert header(stream).PhotometricInterpretation == "YBR_RCT"
    back = convert_bytes(stream, to="explicit-le")
    assert header(back).PhotometricInterpretation == "RGB"
    assert np.array_equal(samples_of(back), pixels[0])


@FEW
@given(color_files("YBR_FULL", even=True), LOSSLESS)
def test_halved_chroma_loses_what_the_second_pixels_had_and_nothing_more(
    drawn: tuple[bytes, Pixels], to: str
) -> None:
    data, pixels = drawn
    halved = convert_bytes(data, to="explicit-le", photometric="YBR_FULL_422", verify=True)
    full = convert_bytes(halved, to=to, photometric="YBR_FULL", verify=True)
    again = convert_bytes(full, to="explicit-le", photometric="YBR_FULL_422", verify=True)

    expected = pixels[0].copy()
    expected[:, 1::2, 1:] = expected[:, 0::2, 1:]
    assert np.array_equal(samples_of(full), expected)
    assert header(again).PixelData == header(halved).PixelData
    assert len(header(halved).PixelData) == (pixels.nbytes * 2 // 3 + 1) // 2 * 2


@FEW
@given(color_files("RGB", even=True))
def test_pairs_of_one_color_come_back_from_ybr_full_422_within_two(
    drawn: tuple[bytes, Pixels],
) -> None:
    _, pixels = drawn
    pairs = np.repeat(pixels[:, :, 0::2], 2, axis=2)
    bits = 8 * pairs.itemsize
    data, _ = make_file(
        pairs.shape[1], pairs.shape[2], 3, bits, bits, photometric="RGB", pixels=pairs
    )
    halved = convert_bytes(data, to="deflated-frame", photometric="YBR_FULL_422", verify=True)
    back = convert_bytes(halved, to="explicit-le", photometric="RGB", verify=True)

    assert np.abs(samples_of(back).astype(int) - pairs[0].astype(int)).max() <= 2


@st.composite
def palette_files(draw: st.DrawFn) -> tuple[bytes, int]:
    """A palette file and the bits of its entries, which need them all."""
    allocated = draw(st.sampled_from([8, 16]))
    entries = draw(st.integers(1, 128)) * 2
    first = draw(st.integers(0, 40))
    bits = draw(st.sampled_from([8, 16]))
    size = entries * bits // 8
    pixels = draw(
        npst.arrays(
            f"<u{allocated // 8}", st.tuples(st.just(1), SIDES, SIDES),
            elements=st.integers(first, min(first + entries - 1, 255)),
        )
    )  # fmt: skip
    tables = [bytearray(draw(st.binary(min_size=size, max_size=size))) for _ in range(3)]
    if bits == 16:
        tables[0][:2] = b"\x34\x12"  # neither 8 bits alone nor scaled from 8
    descriptor = struct.pack("<HHH", entries, first, bits)
    data, _ = make_file(
        pixels.shape[1], pixels.shape[2], 1, allocated, allocated,
        photometric="PALETTE COLOR", pixels=pixels,
        extra=[
            *((0x00281101 + n, "US", descriptor) for n in range(3)),
            *((0x00281201 + n, "OW", bytes(table)) for n, table in enumerate(tables)),
        ],
    )  # fmt: skip
    return data, bits


@FEW
@given(palette_files(), LOSSLESS)
def test_a_palette_gives_the_colors_that_pydicom_shows(drawn: tuple[bytes, int], to: str) -> None:
    data, bits = drawn
    before = header(data)
    stored = convert_bytes(data, to=to, verify=True)
    found = convert_bytes(stored, to="explicit-le", photometric="RGB", verify=True)

    assert header(stored).PhotometricInterpretation == "PALETTE COLOR"
    assert header(found).BitsAllocated == bits
    colors = apply_color_lut(before.pixel_array, before)
    assert np.array_equal(samples_of(found), colors)
