"""JPEG within JPEG XL (.111): bytes in, the same bytes out."""

from __future__ import annotations

import numpy as np
import pytest

from dicodec.codecs.jpegxl import JpegXlDecoder, repack_jpeg, unpack_jpeg
from dicodec.codecs.streams import jpegxl
from dicodec.errors import CorruptFrameError, EncodeError
from dicodec.model.encoder_settings import EncoderSettings
from helpers.codec_images import KINDS, codec_for, describe_image, smooth


@pytest.mark.parametrize("kind", ["8", "rgb 8"])
@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_the_same_bytes_come_back(kind: str, subsampling: str) -> None:
    image = describe_image(**KINDS[kind], rows=64, columns=75)
    encoder, decoder = codec_for("jpeg", EncoderSettings(subsampling=subsampling))
    stored = encoder.encoded_description(image)
    stream = encoder.encode(smooth(image), image)
    packed = repack_jpeg(b"junk" + stream + b"\0")

    assert unpack_jpeg(packed) == stream
    assert unpack_jpeg(packed + b"\0") == stream
    described = jpegxl.describe(packed)
    assert described.lossless is False
    assert described.details["jpeg_reconstruction"] == 1
    samples = JpegXlDecoder().decode(packed, stored)
    decoded = JpegXlDecoder().decoded_description(described, stored)
    assert decoded.photometric_interpretation == ("MONOCHROME2" if kind == "8" else "RGB")
    if kind == "8":
        error = np.abs(samples.astype(int) - decoder.decode(stream, stored).astype(int))
        assert error.max() <= 1


def test_rgb_components_stay_rgb() -> None:
    image = describe_image(**KINDS["rgb 8"], rows=64, columns=75)
    encoder, decoder = codec_for("jpeg", EncoderSettings(photometric="RGB"))
    stream = encoder.encode(smooth(image), image)
    packed = repack_jpeg(stream)

    assert unpack_jpeg(packed) == stream
    assert not jpegxl.describe(packed).component_transform
    error = JpegXlDecoder().decode(packed, image).astype(int) - decoder.decode(stream, image)
    assert np.abs(error).max() <= 2  # another inverse DCT


@pytest.mark.parametrize(("name", "kind"), [("jpeg-lossless", "8"), ("jpeg-extended", "16/12")])
def test_other_processes_are_refused(name: str, kind: str) -> None:
    image = describe_image(**KINDS[kind])
    with pytest.raises(EncodeError):
        repack_jpeg(codec_for(name)[0].encode(smooth(image), image))


def test_what_holds_no_jpeg_gives_none() -> None:
    image = describe_image(**KINDS["8"])
    with pytest.raises(CorruptFrameError):
        unpack_jpeg(codec_for("jpegxl-lossless")[0].encode(smooth(image), image))
