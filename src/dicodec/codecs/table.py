"""Table of codec families: the module of each, imported when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from dicodec import _kernels
from dicodec.errors import UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.encoder_settings import DEFAULT_SETTINGS, EncoderSettings
from dicodec.model.records import NamedTuple, replace
from dicodec.model.transfer_syntax import TransferSyntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # the interface is of no use at run time
    from typing import Any

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

_KERNELS = {
    "native": ("fit_words", "fit_words"),
    "encapsulated-uncompressed": ("fit_words", "fit_words"),
    "rle": ("decode_rle", "encode_rle"),
    "jpeg-lossless-p14": ("decode_jpeg_lossless", "encode_jpeg_lossless"),
    "jpeg-lossless": ("decode_jpeg_lossless", "encode_jpeg_lossless"),
    "jpeg-ls": ("decode_jpeg_ls", "encode_jpeg_ls"),
    "jpeg2000-lossless": ("decode_jpeg2000", "encode_jpeg2000"),
    "jpeg2000": ("decode_jpeg2000", "encode_jpeg2000_lossy"),
    "htj2k-lossless": ("decode_jpeg2000", "encode_htj2k"),
    "htj2k-rpcl": ("decode_jpeg2000", "encode_htj2k"),
    "htj2k": ("decode_jpeg2000", ""),
}
"""By TransferSyntax.name or family: the kernels that decode and encode most frames, "" for none."""

_OTHER_LIBRARIES = {"native": "numpy", "encapsulated-uncompressed": "numpy"}
"""By TransferSyntax.family: the library if there are no kernels, if it is not imagecodecs."""


class Engines(NamedTuple):
    """The decoder and encoder of a transfer syntax: "dicodec kernels", a library, or ""."""

    decoder: str
    encoder: str


def find_engines(syntax: TransferSyntax) -> Engines:
    """Return the decoder and encoder of a transfer syntax in this installation.

    Kernels leave streams and images that they do not know to the library.
    """
    family = syntax.family or ""
    library = _OTHER_LIBRARIES.get(family, "imagecodecs")
    decoder, encoder = (
        "dicodec kernels" if kernel and hasattr(_kernels.COMPILED, kernel) else library
        for kernel in _KERNELS.get(syntax.name) or _KERNELS.get(family) or ("", "")
    )
    return Engines(decoder if syntax.reads else "", encoder if syntax.writes else "")


def find_decoder(syntax: TransferSyntax) -> Decoder:
    """Return the decoder of a transfer syntax.

    Raises:
        UnsupportedSourceError: this package does not decode it.
    """
    if not syntax.reads or syntax.family is None:
        raise UnsupportedSourceError(f"{syntax.title} is not decoded: {syntax.why_not}")
    decoder: Decoder = _load_family(syntax.family).make_decoder(syntax)
    return decoder


def find_encoder(syntax: TransferSyntax, settings: EncoderSettings = DEFAULT_SETTINGS) -> Encoder:
    """Return the encoder of a transfer syntax.

    Raises:
        UnsupportedTargetError: this package does not write it, or not from samples.
        InvalidOptionError: a setting is outside its range.
    """
    if not syntax.writes or syntax.family is None:
        raise UnsupportedTargetError(f"{syntax.title} is not written: {syntax.why_not}")
    encoder: Encoder = _load_family(syntax.family).make_encoder(syntax, settings)
    return encoder


@cache
def _load_family(family: str) -> Any:
    return import_module(FAMILIES[family])


def with_threads[Codec: Decoder | Encoder](codec: Codec, threads: int) -> Codec:
    """Return a codec that uses some threads for each frame, if its library can.

    The result does not depend on their number.
    """
    if threads == 1 or not hasattr(codec, "threads"):
        return codec
    with_field: Any = codec
    quicker: Codec = replace(with_field, threads=threads)
    return quicker
