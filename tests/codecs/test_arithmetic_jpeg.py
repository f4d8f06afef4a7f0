"""Retired JPEG processes with arithmetic coding (PS3.5 10.2): read, though nobody writes them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from dicodec import convert_bytes
from dicodec.codecs.table import find_decoder
from dicodec.errors import UnsupportedSourceError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import find_by_uid
from helpers.codec_images import Samples
from helpers.made import make_file
from helpers.samples import native_samples

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
    syntax = find_by_uid(f"1.2.840.10008.1.2.4.{suffix}")
    assert syntax is not None

    samples = find_decoder(syntax).decode(base64.b64decode(stream), IMAGE)

    assert np.array_equal(samples, SLOPE)


def test_arithmetic_lossless_streams_are_not() -> None:
    syntax = find_by_uid("1.2.840.10008.1.2.4.58")
    assert syntax is not None

    with pytest.raises(UnsupportedSourceError, match="arithmetic"):
        find_decoder(syntax)


def changed(samples: Samples, place: tuple[Any, ...]) -> Samples:
    samples[place] = 0
    return samples


# Made by `cjpeg -arithmetic -progressive -quality 75`, which leaves out zeros at the ends of scans.
FLAT = {
    "constant": (
        np.full((8, 16), 7),
        (
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
            "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/ygALCAAIABABAREA/8wABAAQ/9oACAEBAAAAAf8Ak//MAAQQBf/aAAgB"
            "AQABBQLA/8wABBAF/9oACAEBAAY/AsD/zAAEEAX/2gAIAQEAAT8hwP/aAAgBAQAAABDg/8wABBAF/9oACAEBAAE/"
            "EMD/2Q=="
        ),
    ),
    "one dot": (
        changed(np.full((36, 40), 128), (5, 7)),
        (
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
            "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/ygALCAAkACgBAREA/8wABAAQ/9oACAEBAAAAAd9T/8wABBAF/9oACAEB"
            "AAEFAh/g/8wABBAF/9oACAEBAAY/ArD/zAAEEAX/2gAIAQEAAT8hMGx+dMRg/9oACAEBAAAAEEvG/8wABBAF/9oA"
            "CAEBAAE/EISZjPdS+cDjnDj/2Q=="
        ),
    ),
    "a quarter": (
        changed(np.full((40, 40, 3), 128), (slice(0, 20), slice(0, 20))),
        (
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIs"
            "IxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy"
            "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/ygARCAAoACgDASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAA"
            "Af8AjRLv0V3de9mbB8D/zAAEEAX/2gAIAQEAAQUC4Ofn1omEww1rxFrg/8wABBEF/9oACAEDAQE/AcD/zAAEEQX/"
            "2gAIAQIBAT8BwP/MAAQQBf/aAAgBAQAGPwLbZYL6dTZt2WzyzByPhCr/zAAEEAX/2gAIAQEAAT8hwC6AA4Um+hoZ"
            "Zr65tiC6/9oADAMBAAIAAwAAABBLxv/MAAQRBf/aAAgBAwEBPxDA/8wABBEF/9oACAECAQE/EMD/zAAEEAX/2gAI"
            "AQEAAT8Qqaf0QnLIU3zxxNXtmfYw/9k="
        ),
    ),
}


@pytest.mark.parametrize("name", FLAT)
def test_flat_images_are_whole_although_their_data_is_short(name: str) -> None:
    expected, text = FLAT[name]
    color = expected.ndim == 3
    content, _ = make_file(
        expected.shape[0], expected.shape[1], 3 if color else 1, bits_allocated=8, bits_stored=8,
        photometric="YBR_FULL" if color else "MONOCHROME2", frames=2,
        transfer_syntax="1.2.840.10008.1.2.4.54", streams=[[base64.b64decode(text)]] * 2,
    )  # fmt: skip
    wanted = "RGB" if color else "auto"
    native = convert_bytes(content, to="explicit-le", photometric=wanted, verify=True)
    for frame in native_samples(native):
        error = np.abs(frame.astype(int) - expected)
        assert np.median(error) == 0
        assert error.mean() < 2
