"""Table of codec families: the module of each, imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from dicodec.errors import UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import DEFAULT_SETTINGS, EncoderSettings
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import TransferSyntax

if TYPE_CHECKING:  # the interface is of no use at run time
    from dicodec.codecs.base import Decoder, Encoder

# By TransferSyntax.family; each module has functions `make_decoder` and `make_encoder`.
FAMILIES = {
    "native": "dicodec.codecs.native",
    "encapsulated-uncompressed": "dicodec.codecs.native",  # a native frame in one fragment, A.4.11
    "deflated-frame": "dicodec.codecs.deflated_frame",
    "rle": "dicodec.codecs.rle",
    "jpeg": "dicodec.codecs.jpeg",
    "jpeg-ls": "dicodec.codecs.jpeg_ls",
    "jpeg2000": "dicodec.codecs.jpeg2000",
    "jpegxl": "dicodec.codecs.jpegxl",
    "htj2k": "dicodec.codecs.htj2k",
}


def find_decoder(syntax: TransferSyntax) -> Decoder:
    """Return the decoder of a transfer syntax.

    Raises:
        UnsupportedSourceError: this package does not decode it.
    """
    if not syntax.reads or syntax.family is None:
        raise UnsupportedSourceError(f"{syntax.title} is not decoded: {syntax.why_not}")
    return cast("Decoder", import_module(FAMILIES[syntax.family]).make_decoder(syntax))


def find_encoder(syntax: TransferSyntax, settings: EncoderSettings = DEFAULT_SETTINGS) -> Encoder:
    """Return the encoder of a transfer syntax.

    Raises:
        UnsupportedTargetError: this package does not write it, or not from samples.
        InvalidOptionError: a setting is outside its range.
    """
    if not syntax.writes or syntax.family is None:
        raise UnsupportedTargetError(f"{syntax.title} is not written: {syntax.why_not}")
    return cast("Encoder", import_module(FAMILIES[syntax.family]).make_encoder(syntax, settings))


def with_threads[Codec: Decoder | Encoder](codec: Codec, threads: int) -> Codec:
    """Return a codec that uses some threads for each frame, if its library can.

    The result does not depend on their number.
    """
    if threads == 1 or not hasattr(codec, "threads"):
        return codec
    return cast("Codec", replace(cast("Any", codec), threads=threads))
