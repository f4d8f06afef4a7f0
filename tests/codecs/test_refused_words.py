"""What the kernels that write JPEG 2000 and HTJ2K refuse: words of no image, samples outside."""

from __future__ import annotations

import numpy as np
import pytest

from dicodec.codecs.htj2k import Htj2kEncoder
from dicodec.codecs.jpeg2000 import Jpeg2000Encoder
from dicodec.errors import SampleRangeError
from helpers.jpeg2000_decoding import describe
from helpers.kernels import kernels

ENCODERS = {"jpeg2000": Jpeg2000Encoder, "htj2k": Htj2kEncoder}
BAD_WORDS = [(0, bytes(125)), (1, 0), (2, 8), (3, 2), (4, 8), (5, 17), (7, True)]
"""Arguments that both kernels refuse: their place, and a value."""


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize(("stored", "signed"), [(1, 0), (8, 0), (12, 0), (12, 1), (15, 1)])
def test_a_sample_outside_bits_stored_is_an_error(codec: str, stored: int, signed: int) -> None:
    encoder = ENCODERS[codec]()
    pixels = np.zeros((9, 70), "<i2" if signed else "<u2")
    image = describe(pixels, stored)
    for outside in image.sample_range[0] - 1, image.sample_range[1] + 1:
        for place in ((0, 0), (8, 69)):
            pixels[:] = 0
            pixels[place] = outside % 65536 if not signed else outside
            assert encoder.encode_words(pixels.tobytes(), image) is None
            with pytest.raises(SampleRangeError):
                encoder.encode(pixels, image)


@pytest.mark.parametrize(
    ("function", "more", "bad"),
    [
        ("encode_jpeg2000", [1], [(8, 0)]),  # threads
        ("encode_htj2k", [5, 1], [(8, 33), (9, 0)]),  # levels and threads
    ],
)
def test_words_that_are_no_image_are_refused(
    function: str, more: list[int], bad: list[tuple[int, int]]
) -> None:
    encode = getattr(kernels(), function)
    good = [bytes(126), 7, 9, 1, 16, 12, False, False, *more]
    assert encode(*good) is not None
    for place, value in (*BAD_WORDS, *bad):
        with pytest.raises(ValueError):  # noqa: PT011
            encode(*good[:place], value, *good[place + 1 :])
