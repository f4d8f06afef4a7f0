"""A region of a frame is what the whole frame has there, and takes no more than it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes, open_image
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.images.image import Image
from dicodec.images.pictures import resize_picture
from dicodec.images.regions import Region
from helpers.made import IMAGE_KINDS, make_file
from helpers.ranges import RangedSource

WINDOW = [(0x00281050, "DS", b"2000"), (0x00281051, "DS", b"3000 ")]
WINDOWS: list[Any] = [None, "auto", (1000, 700)]


def cut(samples: Any, region: tuple[int, int, int, int]) -> Any:
    top, left, rows, columns = region
    return samples[top : top + rows, left : left + columns]


def outcome(image: Image, frame: int, region: Any, **options: Any) -> Any:
    try:
        if region is None:
            return image.read_frame(frame, **options)
        return image.read_frame(frame, region=region, **options)
    except DicodecError as error:
        return type(error), error.code


@pytest.mark.parametrize("target", ["explicit-le", "explicit-be", "rle", "jpeg2000-lossless"])
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_a_region_is_the_part_of_the_whole_frame(kind: str, target: str) -> None:
    content, _ = IMAGE_KINDS[kind].make()
    try:
        content = convert_bytes(content, to=target)
    except DicodecError:
        assert target != "explicit-le"
        return
    with open_image(content) as image:
        rows, columns = image.description.shape[:2]
        region = (rows // 3, columns // 4, max(rows // 2, 1), max(columns // 3, 1))
        for frame in {0, len(image) - 1}:
            for window in WINDOWS:
                for photometric in (None, "RGB"):
                    options = {"window": window, "photometric": photometric}
                    whole = outcome(image, frame, None, **options)
                    found = outcome(image, frame, region, **options)
                    if isinstance(whole, tuple):
                        assert found == whole
                    else:
                        assert np.array_equal(found, cut(whole, region))


@settings(max_examples=40)
@given(st.data())
def test_any_region_of_any_native_frame(data: Any) -> None:
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    samples = data.draw(st.sampled_from([1, 3]))
    bits = data.draw(st.sampled_from([(8, 8), (16, 12), (16, 16)]))
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    content, _ = make_file(
        rows, columns, samples, bits_allocated=bits[0], bits_stored=bits[1], frames=3,
        photometric=photometric, extra=WINDOW if data.draw(st.booleans()) else (),
    )  # fmt: skip
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    region = (
        top, left, data.draw(st.integers(1, rows - top)), data.draw(st.integers(1, columns - left))
    )  # fmt: skip
    window = data.draw(st.sampled_from(WINDOWS))
    with open_image(content) as image:
        whole = image.read_frame(1, window=window)
        assert np.array_equal(image.read_frame(1, window=window, region=region), cut(whole, region))


def test_other_rows_of_a_native_frame_are_not_read() -> None:
    content, pixels = make_file(900, 500, bits_stored=12, frames=2, extra=WINDOW)
    source = RangedSource(content)
    with Image(source) as image:
        source.ranges.clear()
        shown = image.read_frame(1, window="auto", region=(300, 10, 40, 30))
        assert sum(length for _, length in source.ranges if length > 100) == 40 * 500 * 2
        source.ranges.clear()
        assert np.array_equal(shown, cut(image.read_frame(1, window="auto"), (300, 10, 40, 30)))
        stored = image.read_frame(1, region=(300, 10, 40, 30))
    assert np.array_equal(stored, cut(pixels[1], (300, 10, 40, 30)))


def test_a_window_over_the_frame_is_not_one_over_the_region() -> None:
    """A file without a window is shown from the smallest to the largest value of the frame."""
    pixels = np.full((1, 20, 20), 100, "<u2")
    pixels[0, 0, 0], pixels[0, 19, 19] = 0, 200
    content, _ = make_file(20, 20, bits_stored=12, pixels=pixels)
    with open_image(content) as image:
        shown = image.read_frame(0, window="auto", region=(5, 5, 4, 4))
    assert set(shown.flat) <= {127, 128}


def test_a_frame_that_ends_too_early_is_the_error_that_it_was() -> None:
    content, _ = make_file(20, 20, bits_stored=12, extra=WINDOW)
    with open_image(content[:-10]) as image:
        for region in (None, (0, 0, 4, 4)):
            assert outcome(image, 0, region, window="auto")[1] == "truncated-frame"


@pytest.mark.parametrize("region", ["x", (1, 2, 3), (0.5, 0, 3, 3), ("a", 0, 3, 3), 5, {}])
def test_a_region_that_is_no_four_numbers_is_refused(region: Any) -> None:
    content, _ = make_file(20, 20, bits_stored=12)
    with open_image(content) as image:
        with pytest.raises(InvalidOptionError, match=r"region is .* first row, first column"):
            image.read_frame(0, region=region)
        for size in ("x", (1,), (1, 2, 3), 7, (0.5, 2)):
            with pytest.raises(InvalidOptionError, match=r"at_least is .* rows, columns"):
                image.read_frame(0, at_least=size)  # type: ignore[arg-type]
            with pytest.raises(InvalidOptionError, match=r"at_least is .* rows, columns"):
                list(image.read_frames(at_least=size))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "region",
    [(0, 0, 0, 4), (0, 0, 4, 0), (-1, 0, 4, 4), (0, -1, 4, 4), (17, 0, 4, 4), (0, 17, 4, 4)],
)
def test_a_region_outside_of_the_frame_is_refused(region: Any) -> None:
    content, _ = make_file(20, 20, bits_stored=12)
    with (
        open_image(content) as image,
        pytest.raises(InvalidOptionError, match="not within the frame of 20 by 20"),
    ):
        image.read_frame(0, region=region)


@pytest.mark.parametrize(
    ("region", "halvings"),
    [((0, 0, 64, 64), 2), ((4, 8, 64, 64), 2), ((2, 2, 64, 64), 1), ((4, 9, 64, 64), 0),
     ((39, 46, 64, 64), 0), ((36, 44, 67, 66), 2), ((36, 44, 66, 66), 1)],
)  # fmt: skip
@pytest.mark.parametrize("target", ["jpeg2000-lossless", "htj2k-lossless"])
def test_a_region_is_halved_where_its_sides_fall_between_samples(
    region: tuple[int, int, int, int], halvings: int, target: str
) -> None:
    content, _ = make_file(103, 110, bits_stored=12, extra=WINDOW)
    step = 1 << halvings
    with open_image(convert_bytes(content, to=target)) as image:
        shown = image.read_frame(0, window="auto", at_least=(16, 16), region=region)
        small = image.read_frame(0, window="auto", at_least=(-(-103 // step), -(-110 // step)))
        stored = image.read_frame(0, at_least=(16, 16), region=region)
        assert np.array_equal(stored, cut(image.read_frame(0), region))
    top, left, rows, columns = (-(-side // step) for side in region)
    assert np.array_equal(shown, cut(small, (top, left, rows, columns)))


def test_a_region_that_is_halved_has_its_own_size() -> None:
    assert Region(4, 8, 99, 102).halve(2) == Region(1, 2, 25, 26)


@settings(max_examples=60)
@given(st.data())
def test_blocks_are_averaged_as_other_areas_are(data: Any) -> None:
    rows, columns, height, width = (data.draw(st.integers(1, 12)) for _ in range(4))
    colors = data.draw(st.sampled_from([(), (3,)]))
    seed = data.draw(st.integers(0, 1000))
    shape = (rows * height, columns * width, *colors)
    picture = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    exact = picture.reshape(rows, height, columns, width, *colors).mean(axis=(1, 3))
    made = resize_picture(picture, (rows, columns))
    assert made.shape == exact.shape
    assert np.abs(made - exact).max() <= 0.5 + 1e-9
