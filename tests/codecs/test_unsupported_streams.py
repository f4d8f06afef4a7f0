"""Streams that are whole, and that no decoder here reads: told as such, not as corrupt."""

from __future__ import annotations

import pytest

from dicodec import convert_bytes, inspect
from dicodec.errors import UnsupportedSourceError
from dicodec.model.encoder_settings import EncoderSettings
from helpers.codec_images import KINDS, codec_for, describe_image, smooth
from helpers.made import IMAGE_KINDS


@pytest.mark.parametrize(
    ("name", "kind", "marker", "place", "value", "message"),
    [
        # The vertical factor of the first component: the others then have half its lines.
        ("jpeg-ls", "rgb 8", b"\xff\xf7", 11, b"\x12", "JPEG-LS with subsampled components"),
        # As GDCM writes more than 12 bits under the UID of extended JPEG.
        ("jpeg-extended", "16/12", b"\xff\xc1", 4, b"\x10", "a DCT of 16 bits"),
    ],
)
def test_a_stream_that_nobody_decodes(
    name: str, kind: str, marker: bytes, place: int, value: bytes, message: str
) -> None:
    image = describe_image(**KINDS[kind], rows=40, columns=36)
    encoder, decoder = codec_for(name, EncoderSettings())
    stored = encoder.describe_encoded(image)
    stream = bytes(encoder.encode(smooth(image), image))
    at = stream.index(marker) + place

    with pytest.raises(UnsupportedSourceError, match=message):
        decoder.decode(stream[:at] + value + stream[at + 1 :], stored)


def test_inspect_does_not_promise_what_no_decoder_does() -> None:
    siz = b"\xff\x51"
    data = convert_bytes(IMAGE_KINDS["rgb-8"].make()[0], to="jpeg2000-lossless")
    at = data.index(siz) + 40  # XRsiz of the second component, behind Ssiz of the first
    subsampled = data[: at + 4] + b"\x02" + data[at + 5 :]
    found = {one.name: one for one in inspect(subsampled).targets}
    assert not found["explicit-le"].possible
    assert "subsampled" in found["explicit-le"].reason
