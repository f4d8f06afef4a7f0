"""Which streams are valid under another transfer syntax as they are (PS3.5 section 10, A.4)."""

from __future__ import annotations

from dicodec.model.transfer_syntax import TransferSyntax

_ALSO_VALID_AS = {
    "jpeg-lossless": {"jpeg-lossless-p14"},  # selection value 1 is one of seven
    "jpeg-ls": {"jpeg-ls-near"},  # NEAR = 0
    "jpeg2000-lossless": {"jpeg2000"},
    "jpegxl-lossless": {"jpegxl"},
    "htj2k-rpcl": {"htj2k-lossless", "htj2k"},
    "htj2k-lossless": {"htj2k"},
}

_MAY_BE_VALID_AS = {
    "jpeg-lossless-p14": {"jpeg-lossless"},  # selection value 1
    "jpeg-ls-near": {"jpeg-ls"},  # NEAR = 0
}


def also_valid_as(source: TransferSyntax, target: TransferSyntax) -> bool:
    """Whether every stream of one transfer syntax is a stream of the other too."""
    return target.name in _ALSO_VALID_AS.get(source.name, set())


def may_be_valid_as(source: TransferSyntax, target: TransferSyntax) -> bool:
    """Whether some streams of one transfer syntax are, by what they say, streams of the other."""
    return target.name in _MAY_BE_VALID_AS.get(source.name, set())
