"""JPEG color: components come as coded, whatever markers say; and what encoders make of RGB."""

from __future__ import annotations

import numpy as np
import pytest

from dicodec.codecs.jpeg import JpegDecoder
from dicodec.errors import UnsupportedImageError
from dicodec.model.encoder_settings import EncoderSettings
from helpers.codec_images import KINDS, Samples, codec_for, describe_image, smooth

RGB = describe_image(**KINDS["rgb 8"], rows=48, columns=51)
JFIF = bytes.fromhex("ffe000104a46494600010100000100010000")
ADOBE_YCC = bytes.fromhex("ffee000e41646f6265006400000000 01".replace(" ", ""))


def _ybr_full(rgb: Samples) -> Samples:
    """PS3.3 C.7.6.3.1.2."""
    matrix = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    converted: Samples = np.rint(rgb @ matrix.T + [0, 128, 128]).astype(np.uint8)
    return converted


def _largest_error(first: Samples, second: Samples) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_rgb_becomes_ycbcr_inside(subsampling: str) -> None:
    encoder, decoder = codec_for("jpeg", EncoderSettings(quality=98, subsampling=subsampling))
    stored = encoder.describe_encoded(RGB)
    stream = encoder.encode(smooth(RGB), RGB)
    described = decoder.describe(stream)

    assert stored.photometric_interpretation == "YBR_FULL_422"
    decoded = decoder.describe_decoded(described, stored)
    assert decoded.photometric_interpretation == "YBR_FULL"
    assert _largest_error(decoder.decode(stream, stored), _ybr_full(smooth(RGB))) <= 6
    to_rgb = JpegDecoder(to_rgb=True)
    assert to_rgb.describe_decoded(described, stored).photometric_interpretation == "RGB"
    assert _largest_error(to_rgb.decode(stream, stored), smooth(RGB)) <= 8


def test_rgb_can_be_kept() -> None:
    encoder, decoder = codec_for("jpeg", EncoderSettings(quality=98, photometric="RGB"))
    stored = encoder.describe_encoded(RGB)
    stream = encoder.encode(smooth(RGB), RGB)

    assert stored.photometric_interpretation == "RGB"
    assert _largest_error(decoder.decode(stream, stored), smooth(RGB)) <= 6


def test_ybr_full_goes_in_as_it_is() -> None:
    image = describe_image(**KINDS["ybr 8"], rows=48, columns=51)
    encoder, decoder = codec_for("jpeg", EncoderSettings(quality=98, subsampling="444"))
    stored = encoder.describe_encoded(image)
    decoded = decoder.decode(encoder.encode(smooth(image), image), stored)

    assert stored.photometric_interpretation == "YBR_FULL_422"
    assert _largest_error(decoded, smooth(image)) <= 6
    with pytest.raises(UnsupportedImageError):
        codec_for("jpeg", EncoderSettings(photometric="RGB"))[0].describe_encoded(image)


@pytest.mark.parametrize("lie", [JFIF, ADOBE_YCC, JFIF + ADOBE_YCC])
def test_markers_that_lie_change_no_sample(lie: bytes) -> None:
    for name, chosen in (("jpeg", "RGB"), ("jpeg-lossless", None)):
        encoder, decoder = codec_for(name, EncoderSettings(photometric=chosen))
        stream = bytes(encoder.encode(smooth(RGB), RGB))
        adobe = stream.index(b"\xff\xee")
        lying = stream[:adobe] + lie + stream[adobe + 16 :]
        ids = lying.index(b"RGB"[:1] + b"\x11")
        renamed = bytearray(lying)
        for component in range(3):
            renamed[ids + 3 * component] = component + 1
        scan = renamed.index(b"\xff\xda")
        for component in range(3):
            renamed[scan + 5 + 2 * component] = component + 1

        stored = encoder.describe_encoded(RGB)
        assert np.array_equal(
            decoder.decode(bytes(renamed), stored), decoder.decode(stream, stored)
        )


def test_to_rgb_does_not_touch_lossless_streams() -> None:
    encoder, _ = codec_for("jpeg-lossless")
    stream = encoder.encode(smooth(RGB), RGB)

    assert np.array_equal(JpegDecoder(to_rgb=True).decode(stream, RGB), smooth(RGB))
