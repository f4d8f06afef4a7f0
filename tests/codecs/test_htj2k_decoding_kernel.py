"""HTJ2K by the kernel of JPEG 2000: held against OpenJPH and OpenJPEG, and on what is damaged."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest import mock

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels
from dicodec.codecs.jpeg2000 import Jpeg2000Decoder
from dicodec.codecs.table import find_engines
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import find_by_name
from helpers import jpeg2000_streams as streams
from helpers.jpeg2000_decoding import (
    DECODER,
    Pixels,
    decode,
    decode_by_library,
    describe,
    same,
)
from helpers.kernels import without_kernels

KERNELS: Any = _kernels.COMPILED
PROGRESSIONS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
BLOCKS = (None, (64, 64), (32, 32), (4, 4), (8, 64), (64, 8), (16, 4), (4, 64))
STEPS = (0.0001, 0.001, 0.01, 0.1, 0.3)


def write(pixels: Pixels, precision: int, step: float | None = None, **settings: Any) -> bytes:
    """Return a stream of OpenJPH, without loss if it has no step."""
    settings = {"rgb": False, "planar": False, "reversible": step is None} | settings
    if precision <= 8:
        pixels = pixels.astype(f"{pixels.dtype.kind}1")
    return bytes(imagecodecs.htj2k_encode(pixels, step, bitspersample=precision, **settings))


def draw_settings(random: Random, pixels: Pixels) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "rgb": pixels.ndim == 3 and random.random() < 0.6,
        "resolutions": random.choice((None, 0, 1, 2, 5, 7)),
        "prog_order": random.choice(PROGRESSIONS),
        "tlm": random.random() < 0.3,
        "tilepart": random.choice((None, "RESOLUTIONS", "COMPONENTS")),
        "block_size": random.choice(BLOCKS),
    }
    if random.random() < 0.3:
        drawn["tile"] = random.randint(8, 200), random.randint(8, 200)
    return drawn


def decode_by_kernel(
    stream: bytes, image: ImagePixelDescription, *, halvings: int = 0, threads: int = 1
) -> bytes | None:
    words: bytes | None = KERNELS.decode_jpeg2000(
        stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, image.signed, threads, halvings,
    )  # fmt: skip
    return words


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 1 << 40), step=st.sampled_from((None, None, *STEPS)))
def test_streams_of_openjph_decode_as_libraries_decode_them(seed: int, step: float | None) -> None:
    random = Random(seed)
    pixels, precision = streams.draw_pixels(random)
    chosen = draw_settings(random, pixels)
    stream, image = write(pixels, precision, step, **chosen), describe(pixels, precision)

    own = decode_by_kernel(stream, image, threads=random.choice((1, 3)))

    expected = decode_by_library(stream, image)
    assert same(decode(stream, image), expected, step is not None)
    if own is None:  # OpenJPH states too few bit planes
        assert precision == 1 or 1 in pixels.shape[:2]
        assert step is None
        return
    assert same(np.frombuffer(own, pixels.dtype).reshape(pixels.shape), expected, step is not None)


@pytest.mark.parametrize("precision", range(1, 17))
def test_each_precision_is_served(precision: int) -> None:
    top = (1 << precision) - 1
    pixels = np.random.default_rng(1).integers(0, top, (67, 65), endpoint=True)
    pixels = pixels.astype("u1" if precision <= 8 else "<u2")
    stream = write(pixels, precision)
    assert decode_by_kernel(stream, describe(pixels, precision)) == pixels.tobytes()


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (3, 3), (5, 64), (64, 5), (65, 127), (300, 299)]
)
@pytest.mark.parametrize("samples", [1, 3])
def test_each_size_is_served(shape: tuple[int, int], samples: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (*shape, samples)).astype("<u2")
    pixels = pixels.squeeze(2) if samples == 1 else pixels
    stream = write(pixels, 12, rgb=samples == 3)
    assert decode_by_kernel(stream, describe(pixels, 12)) == pixels.tobytes()


SMALL: dict[str, dict[str, Any]] = {
    "plain": {},
    "color": {"rgb": True},
    "tiles": {"tile": (11, 15), "tilepart": "RESOLUTIONS", "tlm": True},
    "blocks": {"block_size": (4, 4), "prog_order": "PCRL"},
    "irreversible": {"step": 0.0005},
}


def write_small(name: str) -> tuple[bytes, ImagePixelDescription]:
    shape = (21, 27, 3) if name == "color" else (21, 27)
    pixels = np.random.default_rng(2).normal(2000, 90, shape).clip(0, 4095).astype("<u2")
    return write(pixels, 12, **SMALL[name]), describe(pixels, 12)


@pytest.mark.parametrize("name", SMALL)
def test_a_stream_cut_anywhere_is_the_error_that_it_was(name: str) -> None:
    stream, image = write_small(name)
    assert decode_by_kernel(stream, image) is not None
    for cut in range(0, len(stream) - 2, 7 if name != "plain" else 3):
        for beginning in (stream[:cut], stream[:cut] + b"\xff\xd9"):
            assert decode_by_kernel(beginning, image) is None, cut
            assert same(decode(beginning, image), decode_by_library(beginning, image)), cut


@settings(deadline=None, max_examples=200)
@given(name=st.sampled_from(sorted(SMALL)), data=st.data())
def test_damaged_streams_end_alike_with_and_without_the_kernel(
    name: str, data: st.DataObject
) -> None:
    whole, image = write_small(name)
    stream = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(2, len(stream) - 3))
        kind = data.draw(st.sampled_from(["bit", "byte", "remove", "insert"]))
        if kind == "bit":
            stream[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "byte":
            stream[at] = data.draw(st.sampled_from([0, 255, 0x90, 0x93, 0x4F]))
        elif kind == "remove":
            del stream[at]
        else:
            stream.insert(at, data.draw(st.sampled_from([0, 255, 17])))
    ours = decode(bytes(stream), image)
    assert same(ours, decode_by_library(bytes(stream), image), 1), bytes(stream).hex()


@pytest.mark.parametrize("coded_signed", [False, True])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(("precision", "stored"), [(12, 12), (12, 14), (12, 10), (16, 16), (9, 8)])
@pytest.mark.parametrize("step", [None, 0.001])
def test_sign_and_width_are_those_of_the_image(
    precision: int, stored: int, signed: int, coded_signed: bool, step: float | None
) -> None:
    for top in (1 << (min(stored, precision) - 1), 1 << precision):
        pixels = np.random.default_rng(4).integers(0, top, (19, 31)).astype("<u2")
        if coded_signed:
            half = 1 << (precision - 1)
            pixels = ((pixels ^ half).astype(int) - half).astype("<i2")
        stream = write(pixels, precision, step)
        image = replace(describe(pixels, stored), pixel_representation=signed)
        assert same(decode(stream, image), decode_by_library(stream, image), step is not None)
        assert decode_by_kernel(stream, image) is not None or precision > stored


@pytest.mark.parametrize("step", [None, 0.001])
@pytest.mark.parametrize("halvings", [1, 2, 5])
def test_lower_resolutions_are_those_of_openjpeg(halvings: int, step: float | None) -> None:
    pixels = np.random.default_rng(4).choice([0, 4095, 2048], (90, 121)).astype("<u2")
    stream, image = write(pixels, 12, step), describe(pixels, 12)
    own = decode_by_kernel(stream, image, halvings=halvings)
    assert own is not None
    with without_kernels():
        expected = DECODER.decode_halved(stream, image, halvings)
    assert expected is not None
    ours = np.frombuffer(own, "<u2").reshape(expected.shape)
    assert same(ours, expected, step is not None)


def test_samples_past_the_precision_go_to_the_library_which_does_not_limit_them() -> None:
    pixels = np.full((40, 50), 4095, "<u2")
    pixels[3:30, 5:41] = 0
    stream = bytearray(write(pixels, 12))
    image = describe(pixels, 12)
    at = stream.index(b"\xff\x51") + 40
    assert stream[at] == 11  # Ssiz
    stream[at] = 10
    assert decode_by_kernel(bytes(stream), image) is None
    assert same(decode(bytes(stream), image), decode_by_library(bytes(stream), image))


def change(stream: bytes, marker: int, offset: int, value: int) -> bytes:
    """Return a stream with another byte in a marker segment, at an offset from its marker."""
    at = stream.index(marker.to_bytes(2)) + offset
    return stream[:at] + bytes([value]) + stream[at + 1 :]


CAP, COD = 0xFF50, 0xFF52


def test_other_forms_are_left_to_the_library() -> None:
    stream, image = write_small("plain")
    assert stream[stream.index(b"\xff\x52") + 12] == 0x40
    served = decode_by_kernel(stream, image)
    assert served is not None
    for style in (0x00, 0x41, 0x42, 0x44, 0x50, 0x60, 0x80, 0xC0):
        assert decode_by_kernel(change(stream, COD, 12, style), image) is None
    # Contexts that know nothing of the stripe below are those of a pass that is not there.
    causal = change(stream, COD, 12, 0x48)
    assert decode_by_kernel(causal, image) == served
    assert same(decode_by_library(causal, image), decode(stream, image))
    for offset, value in ((5, 0), (5, 3), (7, 1), (8, 0x40), (8, 0x80), (8, 0x20), (8, 0x10)):
        assert decode_by_kernel(change(stream, CAP, offset, value), image) is None
    at = stream.index(b"\xff\x50")
    assert decode_by_kernel(stream[:at] + stream[at + 10 :], image) is None
    assert decode_by_kernel(stream[:at] + stream[at : at + 10] + stream[at:], image) is None
    layers = change(stream, COD, 7, 2)
    assert decode_by_kernel(layers, image) is None
    part_1 = streams.write(np.zeros((21, 27), "<u2"), 12, streams.Style())
    with_cap = part_1.replace(b"\xff\x52", stream[at : at + 10] + b"\xff\x52", 1)
    assert decode_by_kernel(part_1, image) is not None
    assert decode_by_kernel(with_cap, image) is None


def test_words_are_decoded_without_the_library() -> None:
    stream, image = write_small("plain")
    with mock.patch.object(Jpeg2000Decoder, "_decode_by_library", side_effect=AssertionError):
        words = DECODER.decode_words(stream, image)
    assert words == decode_by_kernel(stream, image)
    assert DECODER.decode_words(stream + stream, image) is None  # to be noted
    with without_kernels():
        assert DECODER.decode_words(stream, image) is None


@pytest.mark.parametrize("name", ["htj2k-lossless", "htj2k-rpcl", "htj2k"])
def test_it_is_told_which_codec_serves(name: str) -> None:
    syntax = find_by_name(name)
    assert syntax is not None
    assert find_engines(syntax).decoder == "dicodec kernels"
    with without_kernels():
        assert find_engines(syntax).decoder == "imagecodecs"
