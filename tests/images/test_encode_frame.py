"""Samples of one frame become a stream of any transfer syntax, and come back."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec import encode_frame
from dicodec.errors import LossyNotAllowedError, SampleRangeError, UnsupportedImageError
from helpers.made import IMAGE_KINDS

GRAY = IMAGE_KINDS["gray-12-in-16"].make()[1][0]
RGB = IMAGE_KINDS["rgb-8"].make()[1][0]
DECODERS = {
    "jpeg-ls": imagecodecs.jpegls_decode,
    "jpeg2000-lossless": imagecodecs.jpeg2k_decode,
    "htj2k-lossless": imagecodecs.jpeg2k_decode,
    "jpegxl-lossless": imagecodecs.jpegxl_decode,
    "jpeg-lossless": imagecodecs.ljpeg_decode,
}


@pytest.mark.parametrize("syntax", DECODERS)
def test_streams_are_decoded_by_others(syntax: str) -> None:
    encoded = encode_frame(GRAY, to=syntax, bits_stored=12)
    assert encoded.description.bits_stored == 12
    assert np.array_equal(DECODERS[syntax](encoded.stream), GRAY)


def test_the_description_is_that_of_the_stream() -> None:
    stream, description = encode_frame(RGB, to="jpeg2000-lossless")
    assert description.photometric_interpretation == "YBR_RCT"
    assert np.array_equal(imagecodecs.jpeg2k_decode(stream), RGB)
    encoded = encode_frame(RGB, to="jpeg", quality=95)
    assert encoded.description.photometric_interpretation == "YBR_FULL_422"
    assert np.abs(imagecodecs.jpeg8_decode(encoded.stream).astype(int) - RGB).mean() < 12


@pytest.mark.parametrize(
    "samples",
    [
        np.eye(9, dtype=bool),
        GRAY.astype(">u2"),
        -GRAY.astype(np.int32),
        [[1, 2], [3, 250]],
        RGB[::2],
    ],
)
def test_arrays_of_many_types_are_frames(samples: Any) -> None:
    array = np.asarray(samples)
    array = array if array.dtype != np.int64 else array.astype(np.uint8)
    stream, description = encode_frame(array, to="explicit-le")
    if array.dtype == bool:
        bits = np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little")[: array.size]
        assert np.array_equal(bits.reshape(array.shape), array)
    else:
        found = np.frombuffer(stream, description.dtype)[: array.size]
        assert np.array_equal(found.reshape(description.shape), array)


@pytest.mark.parametrize(
    ("samples", "options", "kind"),
    [
        (GRAY, {"bits_stored": 11}, SampleRangeError),
        (GRAY, {"bits_stored": 17}, UnsupportedImageError),
        (GRAY, {"photometric_interpretation": "RGB"}, UnsupportedImageError),
        (GRAY.astype(complex), {}, UnsupportedImageError),
        (GRAY.astype(np.int64), {}, UnsupportedImageError),
        (GRAY[0], {}, UnsupportedImageError),
        (GRAY[:0], {}, UnsupportedImageError),
        (GRAY, {"to": "jpeg2000"}, LossyNotAllowedError),
        (GRAY.astype(np.float32), {}, UnsupportedImageError),
    ],
)
def test_what_is_not_a_frame_is_refused(samples: Any, options: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        encode_frame(samples, **{"to": "rle", **options})
