"""The table of codecs: every syntax is served or says why not, and nothing is imported early."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dicodec.codecs.table import find_decoder, find_encoder
from dicodec.errors import InvalidOptionError, UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, TransferSyntax
from helpers.codec_images import syntax_named


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_syntax_is_served_or_says_why_not(syntax: TransferSyntax) -> None:
    if syntax.reads:
        assert callable(find_decoder(syntax).describe)
    else:
        with pytest.raises(UnsupportedSourceError, match="not decoded"):
            find_decoder(syntax)
    if syntax.writes and syntax.name != "jpegxl-jpeg":
        assert callable(find_encoder(syntax).encode)
    else:
        with pytest.raises(UnsupportedTargetError):
            find_encoder(syntax)


def test_codecs_are_values() -> None:
    for name in ("jpeg", "htj2k", "jpegxl"):
        syntax = syntax_named(name)
        chosen = EncoderSettings(quality=70)
        assert find_encoder(syntax, chosen) == find_encoder(syntax, chosen)
        assert find_encoder(syntax, chosen) != find_encoder(syntax)
        assert find_decoder(syntax) == find_decoder(syntax)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("jpeg", EncoderSettings(quality=0)),
        ("jpeg", EncoderSettings(quality=101)),
        ("jpeg", EncoderSettings(subsampling="411")),
        ("jpeg-extended", EncoderSettings(quality=101)),
        ("jpeg-lossless-p14", EncoderSettings(predictor=8)),
        ("jpeg-ls-near", EncoderSettings(near=-1)),
        ("jpeg2000", EncoderSettings(ratio=0.5)),
        ("jpeg2000", EncoderSettings(psnr=5)),
        ("htj2k", EncoderSettings(quality=0)),
        ("jpegxl", EncoderSettings(quality=0)),
        ("jpegxl-lossless", EncoderSettings(effort=10)),
    ],
)
def test_settings_without_meaning(name: str, chosen: EncoderSettings) -> None:
    with pytest.raises(InvalidOptionError):
        find_encoder(syntax_named(name), chosen)


def test_the_table_imports_neither_numpy_nor_codecs() -> None:
    code = (
        "import sys, dicodec.codecs.table;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'imagecodecs')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
