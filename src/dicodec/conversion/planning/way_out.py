"""Ways out for an image that a target cannot hold: the targets that hold it as it is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from dicodec.codecs.table import find_encoder
from dicodec.errors import InvalidOptionError, UnsupportedImageError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import Loss, TransferSyntax, find_by_name

_LOSSLESS = ("jpeg2000-lossless", "htj2k-lossless", "jpeg-ls", "rle", "deflated-frame")
_LOSSY = ("jpeg2000", "htj2k", "jpegxl")

_WIDE = ("jpeg2000", "htj2k", "jpegxl", "jpeg-lossless")
"""For images of more than 8 bits."""

_MOST = 4  # names in a hint


def find_way_out(target: TransferSyntax, image: ImagePixelDescription) -> str | None:
    """Return a hint for an image that a target cannot hold; None if nothing else holds it either.

    Args:
        target: the one that was asked for.
        image: as it is decoded.
    """
    narrow = target.name in {"jpeg", "jpeg-extended"}
    if narrow and (image.bits_stored > 8 or image.signed) and not image.floating:
        found = _name_holders(_WIDE, image) or _name_holders(_LOSSLESS, image)
        return f"{found}, or `rescale_to_8bit=True` maps it to 8 bits"
    names = _LOSSLESS if target.loss is Loss.NEVER else (*_LOSSY, *_LOSSLESS)
    return _name_holders([name for name in names if name != target.name], image)


def _name_holders(names: Iterable[str], image: ImagePixelDescription) -> str | None:
    *first, last = list(islice((name for name in names if _holds(name, image)), _MOST)) or [""]
    if not last:
        return None
    return f"{', '.join(first)} and {last} hold it" if first else f"{last} holds it"


def _holds(name: str, image: ImagePixelDescription) -> bool:
    syntax = find_by_name(name)
    assert syntax is not None
    try:
        find_encoder(syntax).describe_encoded(image)
    except (UnsupportedImageError, InvalidOptionError):
        return False
    return True
