"""The kernel of lossy JPEG 2000: no worse than OpenJPEG at the same size, and read by others."""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module
from random import Random
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels
from dicodec.codecs.jpeg2000 import Jpeg2000Decoder, Jpeg2000Encoder
from dicodec.codecs.rate import Rate
from dicodec.codecs.table import find_engines
from dicodec.errors import SampleRangeError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import find_by_name
from helpers import jpeg2000_streams as streams
from helpers.jpeg2000_decoding import Pixels
from helpers.jpeg2000_decoding import describe as describe_image
from helpers.kernels import without_kernels

KERNELS: Any = _kernels.COMPILED
openjpeg: Any = import_module("openjpeg")
DECODER = Jpeg2000Decoder(may_be_lossy=True)


describe = partial(describe_image, lossy=True)


def make_picture(precision: int, samples: int, noise: float = 0.01) -> Pixels:
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:300, 0:340]
    surface = 0.5 + 0.2 * np.sin(x / 30) + 0.2 * np.cos(y / 20)
    planes = [surface * (0.7 + 0.1 * i) + random.normal(0, noise, x.shape) for i in range(samples)]
    top = (1 << precision) - 1
    values = (np.stack(planes, axis=-1) * top).clip(0, top)
    return values.astype("u1" if precision <= 8 else "<u2").squeeze()


PICTURES = {
    "8": (make_picture(8, 1), 8), "12": (make_picture(12, 1), 12), "16": (make_picture(16, 1), 16),
    "rgb": (make_picture(8, 3), 8), "signed": (make_picture(12, 1).astype("<i2") - 2048, 12),
}  # fmt: skip


def find_psnr(one: Pixels, other: Pixels, bits: int) -> float:
    error = ((one.astype(float) - other) ** 2).mean()
    return math.inf if not error else 10 * math.log10(((1 << bits) - 1) ** 2 / error)


def encode(pixels: Pixels, image: ImagePixelDescription, rate: Rate, threads: int = 1) -> bytes:
    words = Jpeg2000Encoder(False, True, rate, threads).encode_words(pixels.tobytes(), image)
    assert words is not None
    return bytes(words)


@pytest.mark.parametrize("decibels", [38, 45, 55, 65])
@pytest.mark.parametrize("name", PICTURES)
def test_it_is_no_worse_than_openjpeg_at_the_same_size(name: str, decibels: int) -> None:
    pixels, bits = PICTURES[name]
    image = describe(pixels, bits)
    with without_kernels():
        rate = Rate(psnr=decibels)
        theirs = bytes(Jpeg2000Encoder(lossless=False, rate=rate).encode(pixels, image))
    native = image.samples_per_frame * image.bits_allocated / 8
    ours = encode(pixels, image, Rate(ratio=native / (len(theirs) + 0.5)))
    assert 0.97 * len(theirs) <= len(ours) <= len(theirs)
    reached, other = (find_psnr(DECODER.decode(s, image), pixels, bits) for s in (ours, theirs))
    assert reached >= other - 0.02


@pytest.mark.parametrize("decibels", [38, 45.5, 55, 65])
@pytest.mark.parametrize("name", PICTURES)
def test_the_psnr_is_the_one_that_is_asked_for(name: str, decibels: float) -> None:
    pixels, bits = PICTURES[name]
    image = describe(pixels, bits)
    decoded = DECODER.decode(encode(pixels, image, Rate(psnr=decibels)), image)
    assert decibels - 0.2 <= find_psnr(decoded, pixels, bits) <= decibels + 1.5


@pytest.mark.parametrize("ratio", [2, 5, 10, 40, 150])
@pytest.mark.parametrize("name", PICTURES)
def test_a_ratio_is_met_from_below(name: str, ratio: float) -> None:
    pixels, bits = PICTURES[name]
    image = describe(pixels, bits)
    most = int(image.samples_per_frame * image.bits_allocated / 8 / ratio)
    length = len(encode(pixels, image, Rate(ratio=ratio)))
    assert length <= most
    assert length >= 0.97 * most or ratio == 2  # of which all passes are less


@pytest.mark.parametrize("quality", [20, 60, 90])
def test_quality_is_by_the_range_of_the_frame(quality: int) -> None:
    pixels, _ = PICTURES["12"]
    peak = int(pixels.max()) - int(pixels.min())
    for stored in (12, 16):
        image = describe(pixels, stored)
        decoded = DECODER.decode(encode(pixels, image, Rate(quality=quality)), image)
        error = ((pixels.astype(float) - decoded) ** 2).mean()
        assert 10 * math.log10(peak**2 / error) == pytest.approx(30 + quality / 4, abs=0.5)


def test_a_size_that_is_out_of_reach_gives_the_smallest_stream() -> None:
    pixels, bits = PICTURES["8"]
    stream = encode(pixels, describe(pixels, bits), Rate(ratio=10_000))
    assert len(stream) < 200
    assert len(set(imagecodecs.jpeg2k_decode(stream).reshape(-1).tolist())) == 1


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 1 << 40), threads=st.integers(1, 3),
    goal=st.one_of(
        st.builds(Rate, ratio=st.floats(1, 300)), st.builds(Rate, psnr=st.floats(20, 110)),
        st.builds(Rate, quality=st.integers(1, 100)),
    ),
)  # fmt: skip
def test_any_stream_is_read_alike_by_others(seed: int, threads: int, goal: Rate) -> None:
    pixels, precision = streams.draw_pixels(Random(seed))
    if precision == 1:
        return
    if pixels.ndim == 3 and pixels.dtype.kind == "i":
        pixels = pixels[..., 0].copy()
    image = describe(pixels, precision, rgb="YBR_FULL" if seed % 3 == 0 else "RGB")
    stream = encode(pixels, image, goal, threads)
    assert stream == encode(pixels, image, goal)
    own = DECODER.decode_words(stream, image)
    assert own is not None
    samples = np.frombuffer(own, image.dtype).reshape(image.shape).astype(int)
    with without_kernels():
        theirs = DECODER.decode(stream, image)
    assert abs(samples - theirs).max() <= 1
    assert abs(samples - np.asarray(openjpeg.decode(stream)).reshape(samples.shape)).max() <= 1
    if goal.ratio is not None:
        most = image.samples_per_frame * image.bits_allocated / 8 / goal.ratio
        assert len(stream) <= max(most, 150)


def test_streams_have_the_form_of_openjpegs() -> None:
    for name, (pixels, bits) in PICTURES.items():
        image = describe(pixels, bits)
        ours = DECODER.describe(encode(pixels, image, Rate(psnr=45)))
        with without_kernels():
            rate = Rate(psnr=45)
            theirs = Jpeg2000Encoder(lossless=False, rate=rate).encode(pixels, image)
        assert ours == DECODER.describe(theirs), name


def test_samples_outside_bits_stored_are_errors() -> None:
    pixels = np.full((9, 70), 4096, "<u2")
    image = describe(pixels, 12)
    encoder = Jpeg2000Encoder(lossless=False)
    assert encoder.encode_words(pixels.tobytes(), image) is None
    with pytest.raises(SampleRangeError):
        encoder.encode(pixels, image)


def test_goals_that_make_no_sense_are_refused() -> None:
    good: list[Any] = [bytes(126), 7, 9, 1, 16, 12, False, False, 1, 0, 45.0, False]
    assert KERNELS.encode_jpeg2000_lossy(*good) is not None
    for place, value in ((0, bytes(125)), (7, True), (8, 0), (10, -1.0), (10, math.nan)):
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.encode_jpeg2000_lossy(*good[:place], value, *good[place + 1 :])


def test_it_is_told_which_codec_serves() -> None:
    syntax = find_by_name("jpeg2000")
    assert syntax is not None
    assert find_engines(syntax) == ("dicodec kernels", "dicodec kernels")
    with without_kernels():
        assert find_engines(syntax) == ("imagecodecs", "imagecodecs")
