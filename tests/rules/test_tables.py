"""Tables of rules: which streams are also valid elsewhere, and what each target can hold."""

from __future__ import annotations

import pytest

from dicodec.codecs.table import find_encoder
from dicodec.errors import UnsupportedImageError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Loss, find_by_name, list_writable
from dicodec.rules.capabilities import find_capability
from dicodec.rules.targets import _ALSO_VALID_AS, is_also_valid_as


def test_streams_stay_within_their_family() -> None:
    for name, others in _ALSO_VALID_AS.items():
        source = find_by_name(name)
        assert source is not None
        for other in others:
            target = find_by_name(other)
            assert target is not None
            assert target.family in {source.family, "jpeg-ls", "htj2k"}
            assert is_also_valid_as(source, target)
            assert not is_also_valid_as(target, source)


def test_no_lossy_stream_is_taken_for_a_lossless_one() -> None:
    for source in TRANSFER_SYNTAXES:
        for target in TRANSFER_SYNTAXES:
            if is_also_valid_as(source, target) and target.loss is Loss.NEVER:
                assert source.loss is Loss.NEVER


@pytest.mark.parametrize("name", [syntax.name for syntax in list_writable()])
def test_every_target_says_what_it_holds_and_where_that_stands(name: str) -> None:
    syntax = find_by_name(name)
    assert syntax is not None
    held = find_capability(syntax)
    assert held is not None
    assert held.photometric_interpretations
    assert held.bits
    assert held.section


@pytest.mark.parametrize(
    "name", [one.name for one in list_writable() if one.name != "jpegxl-jpeg" and not one.native]
)
def test_the_bits_that_are_shown_are_those_that_encoders_take(name: str) -> None:
    syntax = find_by_name(name)
    assert syntax is not None
    held = find_capability(syntax)
    assert held is not None
    encoder = find_encoder(syntax, EncoderSettings(near=1 if name == "jpeg-ls-near" else None))
    for part in held.bits.split(", "):
        allocated, _, stored = part.partition("/")
        lowest, _, highest = (stored or f"1-{allocated}").partition("-")
        taken = range(int(lowest), int(highest or lowest) + 1)
        for bits in range(1, int(allocated) + 1):
            image = ImagePixelDescription(
                64, 64, 1, "MONOCHROME2", int(allocated), bits, bits - 1, 0
            )
            if bits in taken:
                encoder.describe_encoded(image)
            else:
                with pytest.raises(UnsupportedImageError):
                    encoder.describe_encoded(image)
