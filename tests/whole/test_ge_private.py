"""GE's private transfer syntax: implicit VR little endian, with Pixel Data in big endian words."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from dicodec import convert_bytes
from helpers.made import IMAGE_KINDS
from helpers.samples import native_samples

IMPLICIT_LE = b"1.2.840.10008.1.2\0"
GE_PRIVATE = b"1.2.840.113619.5.2"  # of the same length


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "explicit-be", "rle"])
@pytest.mark.parametrize(
    "kind", ["gray-12-in-16", "signed-16", "gray-8", "rgb-8", "odd-size-frames"]
)
def test_samples_come_out_in_the_right_order(kind: str, target: str) -> None:
    data, samples = IMAGE_KINDS[kind].make(transfer_syntax="1.2.840.10008.1.2")
    place = data.index(b"\xe0\x7f\x10\x00")
    (length,) = struct.unpack_from("<I", data, place + 4)
    value = slice(place + 8, place + 8 + length)
    words = np.frombuffer(data[value], "<u2").byteswap().tobytes()
    data = (data[: value.start] + words + data[value.stop :]).replace(IMPLICIT_LE, GE_PRIVATE)

    result = convert_bytes(data, to=target, verify=True)

    assert np.array_equal(native_samples(convert_bytes(result, to="explicit-le")), samples)
