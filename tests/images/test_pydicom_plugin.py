"""pydicom through our codecs: every family, both ways, and the private names that this needs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder

import dicodec.pydicom
from dicodec import convert_bytes
from helpers.made import IMAGE_KINDS, uid_of
from helpers.real_files import shipped_file

LOSSLESS = ("encapsulated-uncompressed", "deflated-frame", "rle", "jpeg-lossless-p14",
            "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
            "htj2k-rpcl", "jpegxl-lossless")  # fmt: skip
LOSSY = ("jpeg", "jpeg-extended", "jpeg-ls-near", "jpeg2000", "htj2k", "jpegxl")


@pytest.fixture(autouse=True)
def plugin() -> Iterator[None]:
    dicodec.pydicom.register()
    dicodec.pydicom.register()  # as often as you like
    yield
    dicodec.pydicom.unregister()


def read(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("kind", ["multi-frame", "signed-16", "rgb-8-by-plane"])
def test_data_sets_are_compressed_and_decompressed(name: str, kind: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    expected = samples if len(samples) > 1 else samples[0]
    dataset = read(content)
    if kind.startswith("rgb") and name.startswith(("jpeg2000", "htj2k")):
        dataset.PhotometricInterpretation = "YBR_RCT"
    dataset.compress(uid_of(name), encoding_plugin="dicodec")
    written = io.BytesIO()
    dataset.save_as(written)
    again = read(written.getvalue())
    assert np.array_equal(again.pixel_array, expected)
    again.decompress(decoding_plugin="dicodec")
    assert np.array_equal(again.pixel_array, expected)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_streams_are_near(name: str) -> None:
    content, samples = IMAGE_KINDS["gray-8"].make()
    dataset = read(content)
    settings: dict[str, dict[str, Any]] = {
        "jpeg-ls-near": {"jls_error": 3},
        "jpeg2000": {"j2k_psnr": [45]},
    }
    dataset.compress(uid_of(name), encoding_plugin="dicodec", **settings.get(name, {}))
    errors = np.abs(dataset.pixel_array.astype(int) - samples[0])
    assert 0 < errors.mean() < 6
    if name == "jpeg-ls-near":
        assert errors.max() == 3


@pytest.mark.parametrize("name", [*LOSSLESS, "jpegxl-jpeg", "jpeg"])
def test_our_results_are_read(name: str) -> None:
    source = IMAGE_KINDS["rgb-8-frames"].make()[0]
    if name in {"jpegxl-jpeg", "jpeg"}:
        source = convert_bytes(source, to="jpeg", quality=95)
    packed = convert_bytes(source, to=name)
    expected = read(convert_bytes(packed, to="explicit-le", photometric="RGB")).pixel_array
    found = read(packed).pixel_array.astype(int)
    assert np.abs(found - expected).max() <= (2 if name in {"jpegxl-jpeg", "jpeg"} else 0)


def test_another_photometric_interpretation_than_stated_is_an_error() -> None:
    dataset = read(IMAGE_KINDS["rgb-8"].make()[0])
    dataset.PhotometricInterpretation = "YBR_ICT"
    with pytest.raises(RuntimeError, match="is encoded as YBR_RCT, and the data set says YBR_ICT"):
        dataset.compress(uid_of("htj2k-lossless"), encoding_plugin="dicodec")


def test_the_private_names_of_pydicom_are_there() -> None:
    from pydicom._uid_dict import UID_dictionary
    from pydicom.pixels.decoders import base as decoders
    from pydicom.pixels.encoders import base as encoders

    assert uid_of("jpegxl-lossless") in UID_dictionary
    for table, get in (
        (decoders._PIXEL_DATA_DECODERS, get_decoder),
        (encoders._PIXEL_DATA_ENCODERS, get_encoder),
    ):
        for name in LOSSLESS:
            coder = get(uid_of(name))
            assert table[uid_of(name)][0] is coder  # type: ignore[index]
            assert next(iter(coder._available)) == "dicodec"
    dicodec.pydicom.unregister()
    assert "dicodec" not in get_decoder(uid_of("jpeg-ls")).available_plugins
    with pytest.raises(NotImplementedError):
        get_decoder(uid_of("jpegxl"))


@pytest.mark.parametrize("name", ["SC_rgb_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm"])
def test_buffers_of_rle_are_those_of_pydicom_itself(name: str) -> None:
    data_set = pydicom.dcmread(shipped_file(name))
    decoder = get_decoder(data_set.file_meta.TransferSyntaxUID)
    ours, meta = decoder.as_buffer(data_set, raw=True, decoding_plugin="dicodec")
    theirs, other = decoder.as_buffer(data_set, raw=True, decoding_plugin="pydicom")
    assert bytes(ours) == bytes(theirs)
    assert meta == other


def test_options_for_the_order_of_bytes_are_followed() -> None:
    encoder = get_encoder(pydicom.uid.RLELossless)
    samples = np.arange(300, dtype=np.uint16).reshape(15, 20)
    image: dict[str, Any] = {
        "rows": 15, "columns": 20, "samples_per_pixel": 1, "number_of_frames": 1,
        "photometric_interpretation": "MONOCHROME2", "bits_allocated": 16, "bits_stored": 16,
        "pixel_representation": 0, "pixel_keyword": "PixelData",
    }  # fmt: skip
    stream = encoder.encode(
        samples.astype(">u2").tobytes(), encoding_plugin="dicodec", byteorder=">", **image
    )
    decoder: Any = get_decoder(pydicom.uid.RLELossless)
    encapsulated = pydicom.encaps.encapsulate([stream])
    for order, expected in ((">", samples), ("<", samples.byteswap())):
        found, _ = decoder.as_array(
            encapsulated, decoding_plugin="dicodec", **image, rle_segment_order=order
        )  # fmt: skip
        np.testing.assert_array_equal(found, expected)


def test_a_stream_of_another_sign_than_the_data_set_is_decoded_in_a_row() -> None:
    """Iterating, pydicom writes the samples anew in the buffer that it was given."""
    name = "J2K_pixelrep_mismatch.dcm"
    data_set = pydicom.dcmread(shipped_file(name))
    decoder = get_decoder(data_set.file_meta.TransferSyntaxUID)
    ((ours, _),) = decoder.iter_array(data_set, raw=True, decoding_plugin="dicodec")
    ((theirs, _),) = decoder.iter_array(data_set, raw=True, decoding_plugin="pylibjpeg")
    np.testing.assert_array_equal(ours, theirs)
