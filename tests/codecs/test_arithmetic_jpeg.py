"""Retired JPEG processes with arithmetic coding (PS3.5 10.2): read, though nobody writes them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from dicodec.codecs.table import decoder_for
from dicodec.errors import UnsupportedSourceError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import by_uid

# Made by `cjpeg -arithmetic -quality 100` of libjpeg-turbo, the second with `-progressive`, from
# the slope below; `djpeg` gives the slope back exactly.
SEQUENTIAL = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQH/yQALCAAIAAgBAREA/8wABgAQEAX/2gAIAQEAAD8A/wD3Mmy54Er3GpR6"
    "kilANRSA/9k="
)
PROGRESSIVE = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQH/ygALCAAIAAgBAREA/8wABAAQ/9oACAEBAAAAAf8A7mX/zAAEEAX/2gAI"
    "AQEAAQUCFfftxP/MAAQQBf/aAAgBAQAGPwIKwVjg/8wABBAF/9oACAEBAAE/IdYepv/aAAgBAQAAABD/zAAEEAX/"
    "2gAIAQEAAT8Qpj0oTBj/2Q=="
)
SLOPE = np.add.outer(np.arange(8) * 8, np.arange(8) * 3)
IMAGE = ImagePixelDescription(8, 8, 1, "MONOCHROME2", 8, 8, 7, 0)


@pytest.mark.parametrize(
    ("suffix", "stream"), [("52", SEQUENTIAL), ("54", PROGRESSIVE), ("56", PROGRESSIVE)]
)
def test_arithmetic_dct_streams_are_decoded(suffix: str, stream: str) -> None:
    syntax = by_uid(f"1.2.840.10008.1.2.4.{suffix}")
    assert syntax is not None

    samples = decoder_for(syntax).decode(base64.b64decode(stream), IMAGE)

    assert np.array_equal(samples, SLOPE)


def test_arithmetic_lossless_streams_are_not() -> None:
    syntax = by_uid("1.2.840.10008.1.2.4.58")
    assert syntax is not None

    with pytest.raises(UnsupportedSourceError, match="arithmetic"):
        decoder_for(syntax)
