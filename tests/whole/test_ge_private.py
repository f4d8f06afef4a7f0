"""GE's private transfer syntax: implicit VR little endian, with Pixel Data in big endian words."""

from __future__ import annotations

import numpy as np
import pytest

from dicodec import convert_bytes
from helpers.made import IMAGE_KINDS, IMPLICIT_LE, in_ge_private
from helpers.samples import native_samples


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "explicit-be", "rle"])
@pytest.mark.parametrize(
    "kind", ["gray-12-in-16", "signed-16", "gray-8", "rgb-8", "odd-size-frames"]
)
def test_samples_come_out_in_the_right_order(kind: str, target: str) -> None:
    data, samples = IMAGE_KINDS[kind].make(transfer_syntax=IMPLICIT_LE)

    result = convert_bytes(in_ge_private(data), to=target, verify=True)

    assert np.array_equal(native_samples(convert_bytes(result, to="explicit-le")), samples)
