"""Smaller pictures of JPEG 2000: decoded in lower resolutions, and shown as the full ones are."""

from __future__ import annotations

import io
import struct
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any, cast

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes, open_image
from dicodec.batch.pool.messages import WorkContext
from dicodec.cli.main import run
from dicodec.codecs.jpeg2000 import Jpeg2000Decoder
from dicodec.codecs.table import find_decoder
from dicodec.interface.contact_sheet import SIDE, make_contact_sheet
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.part10.beneath import Beneath
from dicodec.service.dicomweb.opened_files import InstancePlace
from dicodec.service.dicomweb.rendering import RenderItem, Viewport, render
from dicodec.service.web.preview import PreviewItem, render_preview
from helpers import jpeg2000_streams as streams
from helpers.kernels import without_kernels
from helpers.made import IMAGE_KINDS, Element, encode_elements, make_file
from helpers.samples import colors

type Pixels = np.ndarray[Any, Any]

WINDOW = [(0x00281050, "DS", b"2000"), (0x00281051, "DS", b"3000 ")]
ROWS, COLUMNS = 203, 310
WITH_AND_WITHOUT = pytest.mark.parametrize("kernels", [True, False])


def with_or_without(kernels: bool) -> Any:
    return nullcontext() if kernels else without_kernels()


def make_pixels() -> Pixels:
    random = np.random.default_rng(5)
    steps = random.normal(0, 60, (1, ROWS, COLUMNS)).cumsum(axis=1).cumsum(axis=2)
    return (2000 + steps / 30 + random.normal(0, 90, steps.shape)).clip(0, 4095).astype("<u2")


PIXELS = make_pixels()


def make(target: str, extra: Any = WINDOW) -> bytes:
    content, _ = make_file(ROWS, COLUMNS, bits_stored=12, pixels=PIXELS, extra=extra)
    return convert_bytes(content, to=target, lossy=target in {"jpeg2000", "htj2k"})


def decode_halved(content: bytes, halvings: int) -> Pixels:
    with open_image(io.BytesIO(content)) as image:
        stream = image.frame_bytes(0)
        decoded: Pixels = imagecodecs.jpeg2k_decode(stream, skipres=halvings)
    return decoded


@pytest.mark.parametrize("bits", [(8, 8), (16, 12), (16, 16)])
@pytest.mark.parametrize("target", ["htj2k-lossless", "jpeg2000-lossless"])
def test_means_beyond_the_range_do_not_turn_black_into_white(
    target: str, bits: tuple[int, int]
) -> None:
    """Of sharp edges some samples of a lower resolution are beyond; OpenJPH wraps them."""
    top = (1 << bits[1]) - 1
    pixels = np.zeros((1, 200, 200), f"<u{bits[0] // 8}")
    pixels[0, 50:150, 60:140] = top
    pixels[0, 90:110] = np.random.default_rng(2).integers(0, 2, (20, 200)) * top
    extra = [(0x00281050, "DS", str(top / 2)[:16]), (0x00281051, "DS", str(top))]
    content, _ = make_file(
        200, 200, bits_allocated=bits[0], bits_stored=bits[1], pixels=pixels,
        extra=[(tag, vr, text.encode() + b" " * (len(text) % 2)) for tag, vr, text in extra],
    )  # fmt: skip
    with open_image(convert_bytes(content, to=target)) as image:
        shown = image.read_frame(0, window="auto", at_least=(100, 100)).astype(int)
    assert shown.shape == (100, 100)
    wanted = pixels[0].reshape(100, 2, 100, 2).mean(axis=(1, 3)) / top * 255
    plain = np.r_[:44, 56:100]
    assert np.abs(shown - wanted)[plain].max() < 130
    assert np.abs(shown - wanted)[plain].mean() < 3


def through_window(samples: Pixels, center: float = 2000, width: float = 3000) -> Pixels:
    levels = ((samples - (center - 0.5)) / (width - 1) + 0.5).clip(0, 1)
    return np.rint(levels * 255).astype("u1")


@settings(deadline=None, max_examples=120)
@given(seed=st.integers(0, 1 << 40), halvings=st.integers(0, 7), kernels=st.booleans())
def test_lower_resolutions_are_those_of_openjpeg(seed: int, halvings: int, kernels: bool) -> None:
    random = Random(seed)
    pixels, precision = streams.draw_pixels(random)
    lossless = random.random() < 0.5
    style = streams.draw_style(random, pixels, lossless=lossless)
    try:
        stream = streams.write(pixels, precision, style)
        imagecodecs.jpeg2k_decode(stream)
    except (ValueError, imagecodecs.Jpeg2kError):  # the library writes what it cannot read
        return
    count = 1 if pixels.ndim == 2 else 3
    image = ImagePixelDescription(
        pixels.shape[0], pixels.shape[1], count, "MONOCHROME2" if count == 1 else "RGB",
        8 * pixels.itemsize, precision, precision - 1, int(pixels.dtype.kind == "i"),
    )  # fmt: skip
    taken = min(halvings, style.resolutions - 1)
    with with_or_without(kernels):
        halved = Jpeg2000Decoder().decode_halved(stream, image, halvings)
    if not taken or style.image_offset != (0, 0):
        assert halved is None
        return
    assert halved is not None
    expected = imagecodecs.jpeg2k_decode(stream, planar=False, skipres=taken)
    assert halved.dtype == image.dtype
    assert halved.shape[:2] == tuple(-(-side // (1 << taken)) for side in pixels.shape[:2])
    difference = abs(halved.astype(int) - np.asarray(expected).reshape(halved.shape))
    assert difference.max() <= (0 if lossless else 1), style


def test_an_image_that_is_halved_unevenly_is_decoded_whole() -> None:
    for offset in ((1, 0), (0, 3), (2, 1)):
        style = streams.Style(resolutions=3, image_offset=offset)
        stream = streams.write(PIXELS[0, :40, :50], 12, style)
        image = ImagePixelDescription(40, 50, 1, "MONOCHROME2", 16, 12, 11, 0)
        assert Jpeg2000Decoder().decode_halved(stream, image, 1) is None


def test_samples_that_need_corrections_are_decoded_whole() -> None:
    stream = streams.write(PIXELS[0, :40, :50], 12, streams.Style(resolutions=3))
    image = ImagePixelDescription(40, 50, 1, "MONOCHROME2", 16, 12, 11, 0)
    assert Jpeg2000Decoder().decode_halved(stream, image, 1) is not None
    for other in (
        replace(image, pixel_representation=1),
        replace(image, bits_stored=11),
        replace(image, overlay_bits=0xF000),
        replace(image, photometric_interpretation="PALETTE COLOR"),
    ):
        assert Jpeg2000Decoder().decode_halved(stream, other, 1) is None


@WITH_AND_WITHOUT
@pytest.mark.parametrize("target", ["jpeg2000-lossless", "jpeg2000", "htj2k-lossless"])
@pytest.mark.parametrize(
    ("at_least", "halvings"),
    [((51, 78), 2), ((50, 60), 2), ((52, 78), 1), ((102, 155), 1), ((1, 1), 5), ((26, 1), 3)],
)
def test_a_frame_is_read_in_the_lowest_resolution_that_is_enough(
    target: str, at_least: tuple[int, int], halvings: int, kernels: bool
) -> None:
    content = make(target)
    levels = find_levels(content)
    with with_or_without(kernels), open_image(io.BytesIO(content)) as image:
        shown = image.read_frame(0, window="auto", at_least=at_least)
        given_window = image.read_frame(0, window=(1900, 500), at_least=at_least)
        frames = list(image.read_frames(window="auto", at_least=at_least))
        stored = image.read_frame(0, at_least=at_least)
    halved = decode_halved(content, min(halvings, levels)).astype(int)
    most = 1 if target == "jpeg2000" else 0
    assert shown.shape == halved.shape
    assert abs(shown.astype(int) - through_window(halved)).max() <= most
    assert abs(given_window.astype(int) - through_window(halved, 1900, 500)).max() <= most
    assert np.array_equal(frames[0], shown)
    assert stored.shape == (ROWS, COLUMNS)


def find_levels(content: bytes) -> int:
    with open_image(io.BytesIO(content)) as image:
        description = find_decoder(image.transfer_syntax).describe(image.frame_bytes(0))
    return int(description.details["decomposition_levels"])


@pytest.mark.parametrize("at_least", [(ROWS, COLUMNS), (102, 156), (103, 155), (900, 900)])
def test_a_frame_of_which_half_is_not_enough_is_read_whole(at_least: tuple[int, int]) -> None:
    with open_image(io.BytesIO(make("jpeg2000-lossless"))) as image:
        shown = image.read_frame(0, window="auto", at_least=at_least)
    assert np.array_equal(shown, through_window(PIXELS[0].astype(int)))


def test_what_would_be_shown_otherwise_is_read_whole() -> None:
    """Means have other extremes than samples, which a window that is not stated reaches over."""
    with open_image(io.BytesIO(make("jpeg2000-lossless", ()))) as image:
        shown = image.read_frame(0, window="auto", at_least=(20, 20))
        assert shown.shape == (ROWS, COLUMNS)
        assert image.read_frame(0, window=(2000, 90), at_least=(20, 20)).shape == (26, 39)


def test_what_tables_show_is_read_whole() -> None:
    for table in (VOI_TABLE, MODALITY_TABLE):
        coded = make("jpeg2000-lossless", (table, *WINDOW))
        with open_image(io.BytesIO(coded)) as image:
            shown = image.read_frame(0, window="auto", at_least=(20, 20))
            assert np.array_equal(shown, image.read_frame(0, window="auto"))


def make_table(tag: int, levels: Pixels) -> Element:
    elements: list[Element] = [
        (0x00283002, "US", struct.pack("<3H", 4096, 0, 12)),
        (0x00283006, "OW", levels.astype("<u2").tobytes()),
    ]
    inside = encode_elements(elements)
    return tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside


VOI_TABLE = make_table(0x00283010, np.arange(4096) ** 2 >> 12)
MODALITY_TABLE = make_table(0x00283000, np.arange(4096)[::-1])


def test_means_of_few_bits_are_no_levels() -> None:
    pixels = (PIXELS >> 8).astype("u1")
    content, _ = make_file(
        ROWS, COLUMNS, bits_allocated=8, bits_stored=4, pixels=pixels,
        extra=[(0x00281050, "DS", b"8 "), (0x00281051, "DS", b"16")],
    )  # fmt: skip
    coded = convert_bytes(content, to="jpeg2000-lossless")
    with open_image(io.BytesIO(coded)) as image:
        assert image.read_frame(0, window="auto", at_least=(20, 20)).shape == (ROWS, COLUMNS)


def test_indices_into_a_palette_are_no_levels() -> None:
    content, indices = IMAGE_KINDS["palette"].make()
    coded = convert_bytes(content, to="jpeg2000-lossless")
    with open_image(io.BytesIO(coded)) as image:
        shown = image.read_frame(0, window="auto", at_least=(2, 2))
    assert np.array_equal(shown, colors(indices)[0])


def halve_areas(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Return means of areas, each pixel weighted by its share of the area."""
    by_row, by_column = (
        weigh_shares(before, after) for before, after in zip(picture.shape[:2], size, strict=True)
    )
    means: Pixels = np.rint(by_row @ picture.astype(float) @ by_column.T)
    return means


def weigh_shares(before: int, after: int) -> Pixels:
    """Return for each of `after` areas the share of each of `before` pixels."""
    starts = np.arange(after)[:, None] * before
    ends = np.minimum(starts + before, (np.arange(before) + 1) * after)
    shares: Pixels = np.maximum(0, ends - np.maximum(starts, np.arange(before) * after)) / before
    return shares


@WITH_AND_WITHOUT
def test_show_scales_a_lower_resolution(tmp_path: Path, kernels: bool) -> None:
    source, path = tmp_path / "in.dcm", tmp_path / "out.png"
    source.write_bytes(make("jpeg2000-lossless"))
    with with_or_without(kernels):
        assert run(["show", str(source), "--scale", "0.2", "-q", "-o", str(path)]) == 0
    halved = through_window(decode_halved(source.read_bytes(), 2).astype(int))
    assert np.array_equal(imagecodecs.imread(path), halve_areas(halved, (41, 62)))


@WITH_AND_WITHOUT
def test_a_contact_sheet_is_of_lower_resolutions(tmp_path: Path, kernels: bool) -> None:
    content, _ = make_file(
        4 * ROWS, 4 * COLUMNS, bits_stored=12, extra=WINDOW,
        pixels=PIXELS.repeat(4, axis=1).repeat(4, axis=2),
    )  # fmt: skip
    coded = convert_bytes(content, to="jpeg2000-lossless")
    (tmp_path / "in.dcm").write_bytes(coded)
    with with_or_without(kernels):
        sheet = make_contact_sheet(tmp_path)
    halved = through_window(decode_halved(coded, 2).astype(int))
    expected = halve_areas(halved, (126, SIDE))
    top = (SIDE - 126) // 2
    assert np.array_equal(sheet.picture[top : top + 126, :, 0], expected)


@WITH_AND_WITHOUT
@pytest.mark.parametrize(
    ("side", "halvings", "size"), [(155, 1, (102, 155)), (100, 2, (51, 78)), (110, 1, (68, 104))]
)
def test_a_preview_is_of_a_lower_resolution(
    tmp_path: Path, side: int, halvings: int, size: tuple[int, int], kernels: bool
) -> None:
    coded = make("jpeg2000-lossless")
    (tmp_path / "in.dcm").write_bytes(coded)
    place = Beneath(str(tmp_path), "in.dcm")
    with with_or_without(kernels):
        png = render_preview(None, PreviewItem(place, 0, side), cast("WorkContext", None))
    shown = imagecodecs.png_decode(png)
    halved = through_window(decode_halved(coded, halvings).astype(int))
    assert np.array_equal(shown[..., 0], halve_areas(halved, size))
    assert (shown == shown[..., :1]).all()


@WITH_AND_WITHOUT
def test_a_rendered_frame_is_of_a_lower_resolution(tmp_path: Path, kernels: bool) -> None:
    coded = make("jpeg2000-lossless")
    (tmp_path / "in.dcm").write_bytes(coded)
    with open_image(io.BytesIO(coded)) as image:
        whole = image.read_frame(0, window="auto")
    place = InstancePlace(Beneath(str(tmp_path), "in.dcm"), "", "")
    once, halved = (
        through_window(decode_halved(coded, halvings).astype(int)) for halvings in (1, 2)
    )
    for viewport, expected in (
        (Viewport(62, 62), halve_areas(halved, (41, 62))),
        (Viewport(62, 62, flipped=(True, False)), halve_areas(halved, (41, 62))[:, ::-1]),
        (Viewport(310, 900), whole),
        (Viewport(40, 40, 30, 20, 80, 80), once[10:50, 15:55]),
        (Viewport(40, 40, 31, 20, 80, 80), halve_areas(whole[20:100, 31:111], (40, 40))),
    ):
        item = RenderItem(place, range(1), "image/png", viewport=viewport)
        with with_or_without(kernels):
            shown = imagecodecs.png_decode(render(None, item, cast("WorkContext", None)))
        assert np.array_equal(shown, expected)
