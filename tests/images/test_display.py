"""Frames as a viewer shows them: the same levels as pydicom's transforms, in 8 bits."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from dicodec import open_image
from helpers.made import IMAGE_KINDS, Element, encode_elements

CENTER, WIDTH, FUNCTION = 0x00281050, 0x00281051, 0x00281056
INTERCEPT, SLOPE = 0x00281052, 0x00281053


def item(*elements: Element) -> bytes:
    inside = encode_elements(sorted(elements))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside


def table(descriptor: tuple[int, int, int], entries: NDArray[Any]) -> bytes:
    return item(
        (0x00283002, "US", struct.pack("<3H", *(number & 0xFFFF for number in descriptor))),
        (0x00283006, "OW", entries.astype("<u2").tobytes()),
    )


LEVELS = np.arange(4096) ** 2 >> 12
VOI_TABLE = (0x00283010, "SQ", table((4096, 0, 12), LEVELS))
MODALITY_TABLE = (0x00283000, "SQ", table((4096, 0, 16), LEVELS[::-1]))
LOW_WINDOW = ((CENTER, "DS", b"-1300"), (WIDTH, "DS", b"700"))
WINDOW = ((CENTER, "DS", b"500\\90"), (WIDTH, "DS", b"700\\10"))
RESCALED = ((INTERCEPT, "DS", b"-1024"), (SLOPE, "DS", b"0.5"))


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("gray-12-in-16", WINDOW),
        ("signed-12-in-16", (*LOW_WINDOW, *RESCALED)),
        ("gray-12-in-16", (*WINDOW, (FUNCTION, "CS", b"SIGMOID"))),
        ("gray-12-in-16", (*LOW_WINDOW, (FUNCTION, "CS", b"LINEAR_EXACT"), *RESCALED)),
        ("gray-12-in-16", (VOI_TABLE, *WINDOW)),
        ("gray-12-in-16", (MODALITY_TABLE, *WINDOW)),
        ("gray-12-in-16", (MODALITY_TABLE, VOI_TABLE)),
        ("gray-32", ((CENTER, "DS", b"2e9"), (WIDTH, "DS", b"1e9"))),
        ("inverted", WINDOW),
    ],
)
def test_gray_levels_are_those_of_pydicom(kind: str, extra: tuple[Element, ...]) -> None:
    content, samples = IMAGE_KINDS[kind].make(extra=extra)
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.PhotometricInterpretation = "MONOCHROME2"  # pydicom inverts before windows, not after
    values = apply_voi_lut(apply_modality_lut(samples[0], dataset), dataset).astype(float)
    low, high = (0, 4095) if VOI_TABLE in extra else _find_ends(dataset)
    expected = (values - low) / (high - low) * 255
    if kind == "inverted":
        expected = 255 - expected
    with open_image(content) as image:
        shown = image.read_frame(0, window="auto")
    assert shown.dtype == np.uint8
    assert len(np.unique(shown)) > 5
    assert np.abs(shown - expected).max() <= 0.51


def _find_ends(dataset: pydicom.Dataset) -> tuple[float, float]:
    """Return what pydicom's window makes of the smallest and the largest possible value."""
    signed = bool(dataset.PixelRepresentation)
    bits = dataset.BitsStored
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if "ModalityLUTSequence" in dataset:
        return 0.0, 65535.0
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    return float(low * slope + intercept), float(high * slope + intercept)


def test_a_given_window_takes_the_place_of_the_files() -> None:
    content, samples = IMAGE_KINDS["gray-12-in-16"].make(extra=(VOI_TABLE, *WINDOW))
    with open_image(content) as image:
        shown = image.read_frame(0, window=(1000, 256))
        assert np.array_equal(shown, np.clip(samples[0].astype(int) - 872, 0, 255))
        narrow = image.read_frame(0, window=(1000, 0.5))
        assert np.isin(narrow, (0, 128, 255)).all()
        assert np.array_equal(narrow > 127, samples[0] >= 1000)
        rgb = image.read_frame(0, window=(1000, 256), photometric="RGB")
        assert np.array_equal(rgb, np.repeat(shown[..., None], 3, axis=2))


def test_without_a_window_the_smallest_is_black_but_padding_is_left_out() -> None:
    pixels = np.arange(1000, 1000 + 48 * 64, dtype="<u2").reshape(1, 48, 64)
    pixels[0, 0, :3] = 0
    padding = [(0x00280120, "US", b"\0\0")]
    for extra, blackest in ((padding, 1003), ([], 0)):
        content, _ = IMAGE_KINDS["gray-16"].make(extra=extra, pixels=pixels)
        with open_image(content) as image:
            shown = image.read_frame(0, window="auto")
        expected = np.clip((pixels[0] - blackest) / (pixels.max() - blackest), 0, 1) * 255
        assert np.abs(shown - np.where(pixels[0] < blackest, 0, expected)).max() <= 0.51


def test_each_frame_has_the_window_of_its_functional_groups() -> None:
    def group(center: bytes, slope: bytes) -> bytes:
        voi = item((CENTER, "DS", center), (WIDTH, "DS", b"256"))
        rescaling = item((INTERCEPT, "DS", b"0"), (SLOPE, "DS", slope))
        return item((0x00289132, "SQ", voi), (0x00289145, "SQ", rescaling))

    groups = b"".join(
        group(*one) for one in [(b"128", b"1"), (b"128", b"2")] + [(b"500", b"1")] * 3
    )
    content, samples = IMAGE_KINDS["multi-frame"].make(
        extra=((0x52009230, "SQ", groups), *WINDOW, *RESCALED)
    )
    with open_image(content) as image:
        shown = [*image.read_frames(window="auto")]
        alone = image.read_frame(4, window="auto")
        given = image.read_frame(1, window=(128, 256))
    values = samples.astype(int)
    for frame, expected in ((0, values[0]), (1, values[1] * 2), (4, values[4] - 372)):
        assert np.array_equal(shown[frame], np.clip(expected, 0, 255))
    assert np.array_equal(alone, shown[4])
    assert np.array_equal(given, shown[1])


def test_numbers_that_are_none_count_as_absent() -> None:
    content, samples = IMAGE_KINDS["gray-8"].make(
        extra=((CENTER, "DS", b"wide"), (WIDTH, "DS", b"3"), (SLOPE, "DS", b"x"))
    )
    with open_image(content) as image:
        shown = image.read_frame(0, window="auto")
    assert np.array_equal(shown, samples[0])


@pytest.mark.parametrize("kind", ["gray-12-in-16", "gray-32", "palette", "rgb-16", "inverted"])
def test_bands_are_the_same_as_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, _ = IMAGE_KINDS[kind].make()
    with open_image(content) as image:
        whole = image.read_frame(0, window="auto")
        monkeypatch.setattr("dicodec.images.display._BAND", 1000)
        assert np.array_equal(image.read_frame(0, window="auto"), whole)


@pytest.mark.parametrize("bits", [7, 16])
def test_colors_of_other_bits_are_brought_to_8(bits: int) -> None:
    content, samples = IMAGE_KINDS["rgb-16" if bits > 8 else "rgb-8"].make(bits_stored=bits)
    with open_image(content) as image:
        shown = image.read_frame(0, window="auto")
    assert np.abs(shown - samples[0] / ((1 << bits) - 1) * 255).max() <= 0.51


def test_floating_point_samples_are_shown() -> None:
    from dicodec import encode_frame

    values = np.linspace(-1, 1, 48 * 64, dtype="<f4").reshape(48, 64)
    values[0, 0] = np.nan
    stream, description = encode_frame(values, to="explicit-le")
    assert description.floating
    assert np.array_equal(np.frombuffer(stream, "<f4").reshape(48, 64), values, equal_nan=True)
    content, _ = IMAGE_KINDS["gray-32"].make(pixels=values[None])
    floating = content.replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x08\x00OF")
    with open_image(floating) as image:
        shown = image.read_frame(0, window="auto")
        given = image.read_frame(0, window=(0.5, 0.5))
    expected = (np.nan_to_num(values, nan=-1) - values[0, 1]) / (1 - values[0, 1]) * 255
    assert np.abs(shown - expected.clip(0)).max() <= 0.51
    assert np.abs(given - np.nan_to_num((values - 0.25) / 0.5).clip(0, 1) * 255).max() <= 0.51
