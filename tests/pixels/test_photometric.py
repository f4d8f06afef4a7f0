"""Steps between Photometric Interpretations, against formulas in floating point and pydicom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from pydicom.pixels.processing import convert_color_space

from dicodec.errors import UnsupportedImageError
from dicodec.model.image import ImagePixelDescription
from dicodec.pixels.color import (
    halve_chroma,
    rgb_to_ybr_full,
    ybr_full_to_rgb,
    ybr_partial_to_rgb,
)
from dicodec.pixels.photometric import STEPS, PhotometricStep, find_routes
from helpers.kernels import kernels, without_kernels

type Convert = Callable[[NDArray[Any], int], NDArray[Any]]


def described(
    photometric: str, bits_stored: int = 8, *, signed: bool = False, floating: bool = False
) -> ImagePixelDescription:
    allocated = 8 if bits_stored <= 8 else 16 if bits_stored <= 16 else 32
    return ImagePixelDescription(
        rows=4,
        columns=6,
        samples_per_pixel=1 if photometric.startswith(("MONO", "PALETTE")) else 3,
        photometric_interpretation=photometric,
        bits_allocated=allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1,
        pixel_representation=int(signed),
        floating=floating,
    )


def step(source: str, target: str) -> PhotometricStep:
    return next(one for one in STEPS if (one.source, one.target) == (source, target))


COLORS_8 = npst.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 9), st.just(3)))


@st.composite
def colors(draw: st.DrawFn) -> tuple[NDArray[Any], int]:
    """Samples of any Bits Stored from 8 to 16."""
    bits = draw(st.integers(8, 16))
    samples = npst.arrays(
        np.uint8 if bits == 8 else np.uint16,
        st.tuples(st.integers(1, 5), st.integers(1, 9), st.just(3)),
        elements=st.integers(0, (1 << bits) - 1),
    )
    return draw(samples), bits


def to_ybr(rgb: NDArray[Any], bits: int) -> NDArray[Any]:
    """PS3.3 C.7.6.3.1.2 as it stands there, in floating point."""
    red, green, blue = (rgb[..., plane].astype(float) for plane in range(3))
    middle = 1 << (bits - 1)
    y = 0.2990 * red + 0.5870 * green + 0.1140 * blue
    cb = -0.1687 * red - 0.3313 * green + 0.5000 * blue + middle
    cr = 0.5000 * red - 0.4187 * green - 0.0813 * blue + middle
    return np.stack([y, cb, cr], axis=-1)


@given(colors())
def test_rgb_becomes_ybr_full_by_the_standards_matrix(drawn: tuple[NDArray[Any], int]) -> None:
    samples, bits = drawn
    top = (1 << bits) - 1
    expected = np.clip(to_ybr(samples, bits), 0, top)

    # Half for rounding; the standard's four digits are off by 0.00005 of three samples at most.
    assert np.abs(rgb_to_ybr_full(samples, bits) - expected).max() <= 0.5 + 0.0002 * top + 0.02


@given(colors())
def test_rgb_comes_back_from_ybr_full_within_its_bound(drawn: tuple[NDArray[Any], int]) -> None:
    samples, bits = drawn
    back = ybr_full_to_rgb(rgb_to_ybr_full(samples, bits), bits).astype(int)

    # Each of Y, Cb, Cr is half a unit off at most: 0.5 (1 + 1.772) and half a unit for rounding.
    assert np.abs(back - samples).max() <= 2


@pytest.mark.parametrize("convert", [ybr_full_to_rgb, rgb_to_ybr_full])
def test_every_color_is_the_same_with_and_without_the_kernel(convert: Convert) -> None:
    planes = np.meshgrid(*3 * [np.arange(256, dtype=np.uint8)], indexing="ij")
    every = np.stack(planes, axis=-1)
    for part in np.split(every, 16):
        with without_kernels():
            expected = convert(part, 8)
        np.testing.assert_array_equal(convert(part, 8), expected)


@given(
    npst.arrays(np.uint8, st.tuples(st.integers(0, 9), st.integers(0, 400), st.just(3))),
    st.integers(1, 8),
    st.sampled_from([ybr_full_to_rgb, rgb_to_ybr_full]),
)
def test_bytes_are_the_same_with_and_without_the_kernel(
    samples: NDArray[Any], bits: int, convert: Convert
) -> None:
    """Some lie past Bits Stored."""
    with without_kernels():
        expected = convert(samples, bits)
    np.testing.assert_array_equal(convert(samples, bits), expected)
    apart = np.asfortranarray(samples)[:, ::2]  # its bytes are not those of pixels in their order
    np.testing.assert_array_equal(convert(apart, bits), expected[:, ::2])


def test_the_kernel_takes_whole_pixels_of_bytes_only() -> None:
    for convert in (kernels().ybr_full_to_rgb, kernels().rgb_to_ybr_full):
        for pixels, bits in ((b"1234", 8), (b"123", 0), (b"123", 9), (b"123", -1)):
            with pytest.raises(ValueError, match="there are no pixels"):
                convert(pixels, bits)


@pytest.mark.parametrize("bits", [17, 24, 32])
def test_colors_of_more_than_16_bits_are_as_exact(bits: int) -> None:
    """Coefficients of 16 bits were off by thousands."""
    top = (1 << bits) - 1
    random = np.random.default_rng(1)
    samples = random.integers(0, top, (9, 11, 3), dtype="<u4", endpoint=True)
    samples[0, :3] = [[0, 0, 0], [top, top, top], [top, 0, top]]

    ybr = rgb_to_ybr_full(samples, bits)

    red, green, blue = (samples[..., plane].astype(np.longdouble) for plane in range(3))
    y = (299 * red + 587 * green + 114 * blue) / 1000
    cb = (blue - y) / np.longdouble("1.772") + (1 << bits - 1)
    cr = (red - y) / np.longdouble("1.402") + (1 << bits - 1)
    expected = np.clip(np.stack([y, cb, cr], axis=-1), 0, top)
    assert np.abs(ybr - expected).max() <= 0.51
    assert np.abs(ybr_full_to_rgb(ybr, bits).astype(np.int64) - samples.astype(np.int64)).max() <= 2


@given(COLORS_8)
def test_pydicom_converts_to_the_same_colors(samples: NDArray[Any]) -> None:
    for ours, theirs in (
        (ybr_full_to_rgb(samples, 8), convert_color_space(samples, "YBR_FULL", "RGB")),
        (rgb_to_ybr_full(samples, 8), convert_color_space(samples, "RGB", "YBR_FULL")),
    ):
        # pydicom rounds the halves and its coefficients otherwise.
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


@given(COLORS_8)
def test_video_range_is_the_inverse_of_the_standards_matrix(samples: NDArray[Any]) -> None:
    # PS3.3 C.7.6.3.1.2, YBR_PARTIAL_422
    matrix = np.array(
        [[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]]
    )
    ybr = samples.astype(float) @ matrix.T + np.array([16, 128, 128])
    stored = np.rint(ybr).astype(np.uint8)

    found = ybr_partial_to_rgb(stored, 8).astype(float)
    expected = np.clip((stored - np.array([16.0, 128, 128])) @ np.linalg.inv(matrix).T, 0, 255)

    assert np.abs(found - expected).max() <= 0.6
    assert np.abs(found - samples).max() <= 2.3  # 0.5 (1.164 + 2.017), and rounding


@given(COLORS_8)
def test_chroma_halved_is_that_of_the_first_pixel_of_each_pair(samples: NDArray[Any]) -> None:
    halved = halve_chroma(samples)

    assert np.array_equal(halved[..., 0], samples[..., 0])
    for column in range(samples.shape[1]):
        first = column - column % 2
        assert np.array_equal(halved[:, column, 1:], samples[:, first, 1:])
    assert np.array_equal(halve_chroma(halved), halved)


@given(st.data(), st.integers(1, 32), st.booleans())
def test_gray_levels_are_counted_from_the_other_end(
    data: st.DataObject, bits: int, signed: bool
) -> None:
    image = described("MONOCHROME1", bits, signed=signed)
    low, high = image.sample_range
    samples = data.draw(npst.arrays(image.dtype, (3, 4), elements=st.integers(low, high)))
    invert, back = step("MONOCHROME1", "MONOCHROME2"), step("MONOCHROME2", "MONOCHROME1")

    inverted = invert.apply(samples, image)

    assert inverted.dtype == samples.dtype
    assert np.array_equal(inverted.astype(object), low + high - samples.astype(object))
    assert np.array_equal(back.apply(inverted, invert.describe(image)), samples)


def test_floating_point_samples_are_not_inverted() -> None:
    image = described("MONOCHROME1", 32, floating=True)

    with pytest.raises(UnsupportedImageError):
        step("MONOCHROME1", "MONOCHROME2").apply(np.zeros((4, 6), "<f4"), image)


@pytest.mark.parametrize(
    ("stated", "wanted", "first", "ends"),
    [
        ("RGB", "auto", (), ["RGB"]),
        ("YBR_FULL", "auto", (), ["YBR_FULL", "RGB"]),
        ("YBR_FULL", "keep", (), ["YBR_FULL"]),
        ("YBR_FULL", "RGB", ("RGB",), ["RGB"]),
        ("YBR_FULL", "YBR_FULL_422", (), ["YBR_FULL", "RGB", "YBR_FULL_422"]),
        ("RGB", "YBR_FULL_422", (), ["RGB", "YBR_FULL", "YBR_FULL_422"]),
        ("YBR_PARTIAL", "auto", (), ["YBR_PARTIAL", "RGB"]),
        ("YBR_PARTIAL", "YBR_FULL", ("RGB", "YBR_FULL"), ["YBR_FULL"]),
        ("MONOCHROME1", "auto", (), ["MONOCHROME1"]),
        ("MONOCHROME1", "MONOCHROME2", ("MONOCHROME2",), ["MONOCHROME2"]),
        ("PALETTE COLOR", "auto", (), ["PALETTE COLOR"]),
    ],
)
def test_routes(stated: str, wanted: str, first: tuple[str, ...], ends: list[str]) -> None:
    ways = list(find_routes(described(stated), wanted))

    assert tuple(one.target for one in ways[0][0]) == first
    assert [image.photometric_interpretation for _, image in ways] == ends


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("MONOCHROME2", "RGB"),
        ("RGB", "MONOCHROME2"),
        ("PALETTE COLOR", "MONOCHROME1"),
        ("HSV", "RGB"),
        ("CMYK", "YBR_FULL"),
    ],
)
def test_where_no_step_leads(stated: str, wanted: str) -> None:
    with pytest.raises(UnsupportedImageError, match=f"{stated} cannot be converted to {wanted}"):
        next(iter(find_routes(described(stated), wanted)))
