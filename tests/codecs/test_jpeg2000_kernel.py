"""The kernel of JPEG 2000: held against OpenJPEG, over all parameters, and on what is damaged."""

from __future__ import annotations

from importlib import import_module
from random import Random
from typing import Any
from unittest import mock

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels, convert_bytes
from dicodec.codecs.jpeg2000 import Jpeg2000Decoder, Jpeg2000Encoder
from dicodec.codecs.rate import Rate
from dicodec.codecs.streams import jpeg2000 as headers
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
from helpers.made import IMAGE_KINDS

KERNELS: Any = _kernels.COMPILED
openjpeg: Any = import_module("openjpeg")


def test_there_are_kernels_to_test() -> None:
    assert KERNELS is not None, "build them: python setup.py build_ext --inplace"


def decode_by_kernel(stream: bytes, image: ImagePixelDescription) -> Pixels | None:
    words = KERNELS.decode_jpeg2000(
        stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, image.signed, 1, 0,
    )  # fmt: skip
    return None if words is None else np.frombuffer(words, image.dtype).reshape(image.shape)


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 1 << 40), lossless=st.booleans())
def test_streams_with_any_parameters_decode_as_openjpeg_decodes_them(
    seed: int, lossless: bool
) -> None:
    random = Random(seed)
    pixels, precision = streams.draw_pixels(random)
    style = streams.draw_style(random, pixels, lossless=lossless)
    try:
        stream = streams.write(pixels, precision, style)
    except ValueError:  # the library refuses to write it
        return
    image = describe(pixels, precision)
    own, expected = decode_by_kernel(stream, image), decode_by_library(stream, image)
    if isinstance(expected, tuple):  # the library wrote what it cannot read
        assert own is None, style
        return
    if own is None:  # the library loses samples of few bits as it writes them
        assert lossless, style
        assert not np.array_equal(expected, pixels), style
        return
    assert same(own, expected, 0 if lossless else 1), style


def test_tiles_of_the_edges_need_no_more_packets_than_they_have() -> None:
    style = streams.Style(
        resolutions=3, block=(32, 32), precincts=((8, 8),), progression="PCRL",
        tile=(21, 75), tile_offset=(16, 4), image_offset=(30, 37),
    )  # fmt: skip
    pixels = np.zeros((51, 10, 3), np.uint8)
    image = describe(pixels, 8)
    stream = streams.write(pixels, 8, style)
    for decoded in (decode(stream, image), decode_by_library(stream, image)):
        assert same(decoded, pixels)


@settings(deadline=None, max_examples=60)
@given(
    precision=st.integers(1, 16), samples=st.sampled_from([1, 3]), rows=st.integers(1, 80),
    columns=st.integers(1, 80), lossless=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_streams_of_imagecodecs_decode_as_it_decodes_them(
    precision: int, samples: int, rows: int, columns: int, lossless: bool, seed: int
) -> None:
    if precision < 8 and (samples == 3 or not lossless):
        return
    random = np.random.default_rng(seed)
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    steps = random.normal(0, (1 << precision) / 99, shape).cumsum(axis=1)
    pixels = (steps + (1 << precision - 1)).clip(0, (1 << precision) - 1)
    pixels = pixels.astype("u1" if precision <= 8 else "u2")
    stream = bytes(
        imagecodecs.jpeg2k_encode(
            pixels, None if lossless else 40 + seed % 30, codecformat="J2K", planar=False,
            bitspersample=precision, reversible=lossless, mct=samples == 3,
        )
    )  # fmt: skip
    image = describe(pixels, precision)
    own = decode_by_kernel(stream, image)
    assert own is not None
    assert same(own, decode_by_library(stream, image), 0 if lossless else 1)
    assert not lossless or np.array_equal(own, pixels)
    assert np.array_equal(DECODER.decode(stream, image), own)
    assert DECODER.decode_words(stream, image) == own.tobytes()


def write_small(**changes: Any) -> tuple[bytes, ImagePixelDescription]:
    random = np.random.default_rng(2)
    pixels = random.normal(2000, 90, (21, 26)).clip(0, 4095).astype("<u2")
    return streams.write(pixels, 12, streams.Style(**changes)), describe(pixels, 12)


SMALL: dict[str, dict[str, Any]] = {
    "plain": {},
    "layers": {"rates": (10, 4, 0), "precincts": ((8, 8),), "progression": "RPCL"},
    "marked": {"sop": True, "eph": True, "progression": "PCRL", "resolutions": 4},
    "tiles": {"tile": (11, 15), "parts": "R", "progression": "RLCP"},
    "bypass": {"block_style": streams.BYPASS | streams.TERMINATE},
    "irreversible": {"lossless": False, "rates": (5,)},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_stream_cut_anywhere_is_the_error_that_it_was(name: str) -> None:
    stream, image = write_small(**SMALL[name])
    assert decode_by_kernel(stream, image) is not None
    for cut in range(0, len(stream) - 2, 7 if name != "plain" else 3):
        for beginning in (stream[:cut], stream[:cut] + b"\xff\xd9"):
            assert decode_by_kernel(beginning, image) is None, cut
            assert same(decode(beginning, image), decode_by_library(beginning, image)), cut


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from(sorted(SMALL)), data=st.data())
def test_damaged_streams_end_alike_with_and_without_the_kernel(
    name: str, data: st.DataObject
) -> None:
    whole, image = write_small(**SMALL[name])
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


@pytest.mark.parametrize("stated", [0, 1, 2, 4, 255])
@pytest.mark.parametrize("first", [True, False])
def test_no_tile_part_is_left_out_because_their_number_is_wrong(stated: int, first: bool) -> None:
    stream, image = write_small(**SMALL["tiles"])
    wrong = bytearray(stream)
    at = stream.index(b"\xff\x90")
    while stream[at : at + 2] == b"\xff\x90":
        if (stream[at + 10] == 0) is first:
            wrong[at + 11] = stated  # TNsot: all tiles have 3
        at += int.from_bytes(stream[at + 6 : at + 10])
    assert same(decode_by_library(bytes(wrong), image), decode(stream, image))
    assert same(decode(bytes(wrong), image), decode(stream, image))


@pytest.mark.parametrize("coded_signed", [False, True])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(("precision", "stored"), [(12, 12), (12, 14), (12, 10), (16, 16), (9, 8)])
def test_sign_and_width_are_those_of_the_image(
    precision: int, stored: int, signed: int, coded_signed: bool
) -> None:
    for top in (1 << (min(stored, precision) - 1), 1 << precision):
        pixels = np.random.default_rng(4).integers(0, top, (9, 11)).astype("<u2")
        if coded_signed:
            half = 1 << (precision - 1)
            pixels = ((pixels ^ half).astype(int) - half).astype("<i2")
        stream = streams.write(pixels, precision, streams.Style())
        image = replace(describe(pixels, stored), pixel_representation=signed)
        assert same(decode(stream, image), decode_by_library(stream, image))
        own = decode_by_kernel(stream, image)
        assert own is not None or precision > stored


def test_other_streams_and_images_are_left_to_the_library() -> None:
    stream, image = write_small()
    assert DECODER.decode_words(stream, image) is not None
    assert DECODER.decode_words(stream + b"\0" * 9, image) is not None
    assert DECODER.decode_words(stream + stream, image) is None  # to be noted
    assert DECODER.decode_words(stream, replace(image, overlay_bits=0xF000)) is None
    with without_kernels():
        assert DECODER.decode_words(stream, image) is None
    pixels = np.arange(40 * 50, dtype="<u2").reshape(40, 50)
    large_blocks = streams.write(pixels, 12, streams.Style(block=(128, 32)))
    assert DECODER.decode_words(large_blocks, describe(pixels, 12)) is None
    assert np.array_equal(DECODER.decode(large_blocks, describe(pixels, 12)), pixels)
    for place, value in ((1, 20), (2, 27), (3, 3), (4, 8)):
        arguments: list[Any] = [stream, 21, 26, 1, 16, 8, False, 1, 0]
        arguments[place] = value
        assert KERNELS.decode_jpeg2000(*arguments) is None


def test_a_frame_of_htj2k_is_walked_once() -> None:
    native = IMAGE_KINDS["gray-12-in-16"].make(rows=40, columns=50)[0]
    source = convert_bytes(native, to="htj2k-lossless")

    with mock.patch.object(headers, "check_whole", wraps=headers.check_whole) as check:
        convert_bytes(source, to="explicit-le")

    assert check.call_count == 1


def test_arguments_that_make_no_sense_are_refused() -> None:
    for place, value in (
        (1, 0), (2, 0), (1, (1 << 20) + 1), (3, 2), (3, 4), (4, 12), (4, 32), (5, 0), (5, 17),
        (7, 0), (8, 33),
    ):  # fmt: skip
        arguments: list[Any] = [b"", 7, 9, 1, 16, 12, False, 1, 0]
        arguments[place] = value
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.decode_jpeg2000(*arguments)


def draw_encodable(seed: int) -> tuple[Pixels, ImagePixelDescription]:
    """Return an image that this package encodes: signed only if it is gray."""
    pixels, precision = streams.draw_pixels(Random(seed))
    if pixels.ndim == 3 and pixels.dtype.kind == "i":
        pixels = pixels[..., 0].copy()
    return pixels, describe(pixels, precision, rgb="YBR_FULL" if seed % 3 == 0 else "RGB")


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 1 << 40), threads=st.integers(1, 3))
def test_what_the_kernel_encodes_is_read_back_by_it_and_by_others(seed: int, threads: int) -> None:
    pixels, image = draw_encodable(seed)
    stream = bytes(Jpeg2000Encoder(threads=threads).encode(pixels, image))
    assert stream == Jpeg2000Encoder().encode_words(pixels.tobytes(), image)
    own = DECODER.decode_words(stream, image)
    assert own == pixels.tobytes()
    assert Jpeg2000Decoder(threads=threads).decode_words(stream, image) == own
    assert same(decode_by_library(stream, image), pixels)
    second = np.asarray(openjpeg.decode(stream)).reshape(pixels.shape)
    assert np.array_equal(second, pixels)


def make_picture(seed: int, precision: int, samples: int) -> Pixels:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:300, 0:340]
    surface = 0.5 + 0.2 * np.sin(x / 30) + 0.2 * np.cos(y / 20)
    planes = [surface * (0.7 + 0.1 * i) + random.normal(0, 0.004, x.shape) for i in range(samples)]
    top = (1 << precision) - 1
    values = (np.stack(planes, axis=-1) * top).clip(0, top)
    return values.astype("u1" if precision <= 8 else "u2").squeeze()


@pytest.mark.parametrize("threads", [2, 5, 64, 1000])
@pytest.mark.parametrize(
    ("rows", "columns", "samples"), [(611, 523, 1), (5, 40_001, 1), (300, 701, 3)]
)
@pytest.mark.parametrize("lossless", [True, False])
def test_threads_share_the_levels_of_large_images(
    rows: int, columns: int, samples: int, lossless: bool, threads: int
) -> None:
    random = np.random.default_rng(rows)
    pixels = random.integers(0, 256, (rows, columns, samples), dtype="u1").squeeze()
    image = describe(pixels, 8)
    rate = Rate() if lossless else Rate(ratio=5)
    one, some = (
        bytes(Jpeg2000Encoder(lossless=lossless, rate=rate, threads=t).encode(pixels, image))
        for t in (1, threads)
    )
    assert some == one
    one_by_one = DECODER.decode_words(one, image)
    assert one_by_one is not None
    assert Jpeg2000Decoder(threads=threads).decode_words(one, image) == one_by_one
    assert not lossless or bytes(one_by_one) == pixels.tobytes()


@pytest.mark.parametrize(("precision", "samples"), [(8, 1), (12, 1), (16, 1), (8, 3)])
def test_streams_have_the_form_and_the_size_of_openjpegs(precision: int, samples: int) -> None:
    pixels = make_picture(precision, precision, samples)
    image = describe(pixels, precision)
    ours = bytes(Jpeg2000Encoder().encode(pixels, image))
    with without_kernels():
        theirs = bytes(Jpeg2000Encoder().encode(pixels, image))
    assert len(ours) <= 1.002 * len(theirs)
    description, expected = DECODER.describe(ours), DECODER.describe(theirs)
    assert description == expected


@pytest.mark.parametrize("side", [1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 127, 128, 255, 256, 700])
def test_levels_are_those_of_imagecodecs(side: int) -> None:
    image = describe(np.zeros((side, 300), "u1"), 8)
    ours = Jpeg2000Encoder().encode_words(bytes(side * 300), image)
    assert ours is not None
    theirs = bytes(imagecodecs.jpeg2k_encode(np.zeros((side, 300), "u1"), codecformat="J2K"))
    levels = DECODER.describe(ours).details["decomposition_levels"]
    assert levels == DECODER.describe(theirs).details["decomposition_levels"]


def test_it_is_told_which_codec_serves() -> None:
    syntax = find_by_name("jpeg2000-lossless")
    assert syntax is not None
    assert find_engines(syntax) == ("dicodec kernels", "dicodec kernels")
    with without_kernels():
        assert find_engines(syntax) == ("imagecodecs", "imagecodecs")
