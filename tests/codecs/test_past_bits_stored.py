"""Samples past Bits Stored in streams: clipped if a lossy process did it, else refused or kept."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import FrameMismatchError
from helpers.codec_images import Samples, lossless_jpeg
from helpers.made import make_file
from helpers.samples import native_samples

ROOT = "1.2.840.10008.1.2.4."
LOSSY = (0x00282110, "CS", b"01")


def reversible(samples: Samples, **chosen: Any) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            samples, codecformat="J2K", bitspersample=16, reversible=True, **chosen
        )
    )


def high_throughput(samples: Samples) -> bytes:
    return bytes(imagecodecs.htj2k_encode(samples, bitspersample=16, reversible=True))


def jpeg_ls(samples: Samples) -> bytes:
    return bytes(imagecodecs.jpegls_encode(samples, bitspersample=16, spiff=False))


def jpeg_xl(samples: Samples) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(samples, effort=2, lossless=True, bitspersample=16))


LOSSLESS = {
    "57": lambda samples: lossless_jpeg(samples, 16),
    "70": lambda samples: lossless_jpeg(samples, 16),
    "80": jpeg_ls,
    "81": jpeg_ls,
    "90": reversible,
    "91": reversible,
    "110": jpeg_xl,
    "112": jpeg_xl,
    "201": high_throughput,
    "203": high_throughput,
}


def past(syntax: str, *, signed: bool, lossy: bool = False, most: int = 4200) -> tuple[bytes, Any]:
    """Return a file of two frames, 12 bits stored, with a sample past them in the second."""
    low = -2048 if signed else 0
    samples = np.random.default_rng(1).integers(low, low + 4096, (2, 24, 17))
    samples[1, 3, 4], samples[1, 5, 6] = most, low - (300 if signed else 0)
    streams = [[LOSSLESS[syntax](frame.astype("<u2"))] for frame in samples]
    content, _ = make_file(
        24, 17, bits_stored=12, signed=signed, frames=2, transfer_syntax=ROOT + syntax,
        streams=streams, extra=[LOSSY] if lossy else [],
    )  # fmt: skip
    return content, samples


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("signed", [False, True])
def test_what_a_lossless_stream_holds_is_not_clipped(syntax: str, signed: bool) -> None:
    content, samples = past(syntax, signed=signed)
    for target in ("explicit-le", "rle", "deflated-frame"):
        with pytest.raises(FrameMismatchError, match="past Bits Stored 12") as caught:
            convert(content, io.BytesIO(), to=target)
        assert caught.value.frame == 1
        assert "standardize" in str(caught.value.hint)

    for target in ("explicit-le", "rle", "jpeg-ls", "jpeg2000-lossless"):
        out = io.BytesIO()
        report = convert(content, out, to=target, standardize=True, verify=True)
        native = convert_bytes(out.getvalue(), to="explicit-le")
        assert np.array_equal(native_samples(native).reshape(samples.shape), samples)
        image = inspect(out.getvalue()).image
        assert image is not None
        assert (image.bits_stored, image.high_bit) == (14 if signed else 13, 13 if signed else 12)
        assert any("BitsStored is 12; by the samples" in one.text for one in report.oddities)


def test_a_bits_stored_that_holds_all_samples_stays() -> None:
    content, _ = past("90", signed=False, most=4095)
    out = io.BytesIO()
    convert(content, out, to="explicit-le", standardize=True)
    image = inspect(out.getvalue()).image
    assert image is not None
    assert image.bits_stored == 12


def test_nothing_is_replaced_in_place(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    content, _ = past("91", signed=False)
    path.write_bytes(content)
    with pytest.raises(FrameMismatchError):
        convert(path, path, to="jpeg-ls", overwrite=True)
    assert path.read_bytes() == content


def test_a_reversible_stream_may_have_been_cut_if_the_image_is_lossy() -> None:
    """`lossless` in its header says nothing then; under the UIDs of lossless ones it does."""
    for syntax in ("91", "203"):
        content, samples = past(syntax, signed=False, lossy=True)
        out = io.BytesIO()
        report = convert(content, out, to="explicit-le", verify=True)
        assert any("1 sample(s) are past Bits Stored 12" in one for one in report.warnings)
        found = native_samples(out.getvalue()).reshape(samples.shape)
        assert np.array_equal(found, np.clip(samples, 0, 4095))
    for syntax in ("70", "80", "90", "201"):
        with pytest.raises(FrameMismatchError):
            convert(past(syntax, signed=False, lossy=True)[0], io.BytesIO(), to="explicit-le")


CHECKS = (np.indices((64, 65)) // [[[1]], [[2]]]).sum(0) % 2 * 4095
NOISE = np.random.default_rng(3).integers(0, 2, (64, 65)) * 4095


@pytest.mark.parametrize("image", [CHECKS, NOISE], ids=["checks", "noise"])
@pytest.mark.parametrize("wavelet", [True, False])
@pytest.mark.parametrize("level", [40, 45, 50, 60])
@pytest.mark.parametrize("signed", [False, True])
def test_what_a_lossy_process_overshoots_is_clipped(
    image: Samples, wavelet: bool, level: int, signed: bool
) -> None:
    samples = image.astype("<i2") - (2048 if signed else 0)
    stream = bytes(
        imagecodecs.jpeg2k_encode(
            samples.astype("<i2" if signed else "<u2"), level, codecformat="J2K",
            bitspersample=16, reversible=wavelet,
        )
    )  # fmt: skip
    decoded = imagecodecs.jpeg2k_decode(stream).astype(int)
    low, high = (-2048, 2047) if signed else (0, 4095)
    assert decoded.max() > high
    content, _ = make_file(
        64, 65, bits_stored=12, signed=signed, transfer_syntax=ROOT + "91", streams=[[stream]],
        extra=[LOSSY],
    )  # fmt: skip
    out = io.BytesIO()
    report = convert(content, out, to="explicit-le", verify=True)
    assert any("as lossy processes overshoot" in one for one in report.warnings)
    assert np.array_equal(native_samples(out.getvalue())[0], np.clip(decoded, low, high))


def test_what_is_farther_than_the_range_is_another_image() -> None:
    samples = NOISE.astype("<u2") * 4
    stream = bytes(imagecodecs.jpeg2k_encode(samples, 60, codecformat="J2K", bitspersample=16))
    content, _ = make_file(
        64, 65, bits_stored=12, transfer_syntax=ROOT + "91", streams=[[stream]], extra=[LOSSY]
    )
    with pytest.raises(FrameMismatchError, match="past Bits Stored"):
        convert(content, io.BytesIO(), to="explicit-le")
    out = io.BytesIO()
    convert(content, out, to="explicit-le", standardize=True)
    image = inspect(out.getvalue()).image
    assert image is not None
    assert image.bits_stored in {14, 15}


def near_lossless(samples: Samples, near: int, bits_stored: int, *, signed: bool) -> bytes:
    """Return a file of one frame in JPEG-LS of whole words."""
    stream = bytes(
        imagecodecs.jpegls_encode(samples.view("<u2"), near, bitspersample=16, spiff=False)
    )
    content, _ = make_file(
        24, 20, bits_stored=bits_stored, signed=signed, transfer_syntax=ROOT + "81",
        streams=[[stream]], extra=[LOSSY],
    )  # fmt: skip
    return content


@pytest.mark.parametrize("bits_stored", [12, 15])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("near", [1, 2, 7])
@pytest.mark.parametrize("further", [1, 1000])
def test_what_is_farther_than_near_was_not_overshot(
    bits_stored: int, signed: bool, near: int, further: int, tmp_path: Path
) -> None:
    """JPEG-LS moves a sample by no more than NEAR, so the rest was in the image."""
    high = (1 << bits_stored - signed) - 1
    samples = np.full((24, 20), high - 10, "<i2" if signed else "<u2")
    samples[3:, 4:] = high + 2 * near + further
    samples[0, 0] = -1 if signed else 0  # with all bits of its word
    content = near_lossless(samples, near, bits_stored, signed=signed)
    for target in ("explicit-le", "jpeg2000-lossless", "deflated", "rle"):
        with pytest.raises(FrameMismatchError, match=f"past Bits Stored {bits_stored}") as caught:
            convert(content, io.BytesIO(), to=target)
        assert "standardize" in str(caught.value.hint)
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    with pytest.raises(FrameMismatchError):
        convert(path, path, to="rle", overwrite=True)
    assert path.read_bytes() == content

    out = io.BytesIO()
    convert(content, out, to="explicit-le", standardize=True, verify=True)
    found = native_samples(out.getvalue())[0].astype(int)
    assert np.abs(found - samples).max() <= near
    image = inspect(out.getvalue()).image
    assert image is not None
    assert image.bits_stored == bits_stored + 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("near", [1, 2, 7])
def test_what_near_overshoots_is_clipped(near: int, signed: bool) -> None:
    low, high = (-2048, 2047) if signed else (0, 4095)
    samples = np.random.default_rng(near).integers(low + 9, high + 1, (24, 20))
    samples = np.where(samples > high - 500, high, samples).astype("<i2" if signed else "<u2")
    content = near_lossless(samples, near, 12, signed=signed)
    out = io.BytesIO()
    report = convert(content, out, to="explicit-le", verify=True)
    assert any("as lossy processes overshoot" in one for one in report.warnings)
    found = native_samples(out.getvalue())[0].astype(int)
    assert found.max() == high
    assert np.abs(found - samples).max() <= near
