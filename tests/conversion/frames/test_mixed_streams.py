"""Frames whose streams differ: each says for itself whether it is lossy, and in what color."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import ContradictionError, FrameMismatchError
from helpers.made import IMAGE_KINDS, make_file
from helpers.samples import native_samples

GRAY = IMAGE_KINDS["gray-8"].make()[1][0]
COLOR = IMAGE_KINDS["rgb-8"].make()[1][0]


def file_of(uid: str, *streams: bytes, photometric: str = "MONOCHROME2") -> bytes:
    samples = 1 if photometric == "MONOCHROME2" else 3
    return make_file(
        48, 64, samples=samples, bits_allocated=8, bits_stored=8, frames=len(streams),
        photometric=photometric, transfer_syntax=uid, streams=[[one] for one in streams],
    )[0]  # fmt: skip


def j2k(pixels: Any, *, mct: bool = False, lossless: bool = True) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            pixels, None if lossless else 40, codecformat="J2K", reversible=lossless, mct=mct,
            planar=False,
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["jpeg-ls", "jpeg-ls-near", "jpeg2000"])
@pytest.mark.parametrize("lossy_one", [0, 1, 2])
def test_one_lossy_frame_makes_a_lossy_image(kind: str, lossy_one: int) -> None:
    if kind != "jpeg2000":  # .80 has no loss, and streams that have it all the same
        uid = "1.2.840.10008.1.2.4.8" + ("1" if kind == "jpeg-ls-near" else "0")
        both = [bytes(imagecodecs.jpegls_encode(GRAY, near)) for near in (0, 3)]
    else:
        uid = "1.2.840.10008.1.2.4.91"
        both = [j2k(GRAY), j2k(GRAY, lossless=False)]
    streams = [both[index == lossy_one] for index in range(3)]
    result = pydicom.dcmread(io.BytesIO(convert_bytes(file_of(uid, *streams), to="explicit-le")))
    assert result.LossyImageCompression == "01"
    assert len(result.pixel_array) == 3


def test_frames_of_other_colors_are_refused() -> None:
    plain, transformed = j2k(COLOR), j2k(COLOR, mct=True)
    uid = "1.2.840.10008.1.2.4.90"
    with pytest.raises(FrameMismatchError) as raised:
        convert_bytes(file_of(uid, plain, transformed, photometric="YBR_FULL"), to="rle")
    assert raised.value.frame == 1
    # RGB is what both decode to here.
    mixed = file_of(uid, transformed, plain, transformed, photometric="RGB")
    samples = native_samples(convert_bytes(mixed, to="explicit-le"))
    assert np.array_equal(samples, np.stack([COLOR] * 3))


@pytest.mark.parametrize("stated", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_one_component_is_gray_whatever_is_said(stated: str) -> None:
    stream = bytes(imagecodecs.jpeg8_encode(GRAY, 90))
    content = file_of("1.2.840.10008.1.2.4.50", stream)
    wrong = content.replace(b"MONOCHROME2 ", stated.encode().ljust(12))
    assert wrong != content
    out = io.BytesIO()
    report = convert(wrong, out, to="explicit-le", verify=True)
    assert pydicom.dcmread(io.BytesIO(out.getvalue())).PhotometricInterpretation == "MONOCHROME2"
    assert "taken as MONOCHROME2" in report.decisions[0]
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)
