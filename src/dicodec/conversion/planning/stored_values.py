"""Read the meaning of stored values, and refuse conversions that would destroy it."""

from __future__ import annotations

from dicodec.errors import LossyNotAllowedError, UnsupportedImageError
from dicodec.model import tags
from dicodec.part10.data_set import DataSet
from dicodec.part10.encoding import encode_tag
from dicodec.rules.stored_values import (
    MEANINGFUL_TAGS,
    Meaning,
    find_meaning,
)

_KEEP_PALETTE = (
    "rle, jpeg-lossless, jpeg-ls, jpeg2000-lossless, htj2k-lossless and native transfer syntaxes "
    "keep PALETTE COLOR"
)


def read_meaning(data_set: DataSet, photometric: str) -> Meaning | None:
    """Return the meaning of an image's stored values, or None if they are gray or color.

    Args:
        data_set: of the image.
        photometric: Photometric Interpretation.

    Raises:
        MalformedFileError, TruncatedFileError: functional groups cannot be read.
    """
    return find_meaning(
        data_set.read_text(tags.SOP_CLASS_UID),
        data_set.read_text(tags.SEGMENTATION_TYPE).upper(),
        photometric,
        _find_present(data_set) | _find_present_in_groups(data_set),
    )


def check_palette_may_leave(data_set: DataSet) -> None:
    """Check that the indices of a PALETTE COLOR image are nothing but colors.

    Raises:
        UnsupportedImageError: they stand for something, and as colors they would not any more.
    """
    meaning = read_meaning(data_set, "PALETTE COLOR")
    if meaning is not None:
        raise UnsupportedImageError(
            f"the stored values are {meaning.text}, and would be lost as colors",
            attribute="PhotometricInterpretation",
            hint=_KEEP_PALETTE,
        )


def check_values_may_change(
    data_set: DataSet, photometric: str, how: str, *, lossless_kin: str
) -> str:
    """Check that stored values are none that may not change at all.

    Args:
        data_set: of the image.
        photometric: Photometric Interpretation.
        how: the cause of their change, in words: "jpeg2000 is lossy".
        lossless_kin: short name of a transfer syntax that does not.

    Returns:
        A warning if they are quantities; "" else.

    Raises:
        LossyNotAllowedError: they are labels, and others would replace them.
    """
    meaning = read_meaning(data_set, photometric)
    if meaning is None:
        return ""
    if meaning.labels:
        raise LossyNotAllowedError(
            f"the stored values are {meaning.text}, and {how}: other labels would appear",
            hint=_KEEP_PALETTE if photometric == "PALETTE COLOR" else f"{lossless_kin} keeps them",
        )
    return f"the stored values are {meaning.text}, and {how}: they are not exact any more"


def _find_present(data_set: DataSet) -> frozenset[int]:
    return frozenset(tag for tag in MEANINGFUL_TAGS if data_set.has_value(tag))


def _find_present_in_groups(data_set: DataSet) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for group in tags.FUNCTIONAL_GROUPS:
        span = data_set.find(group)
        if span is None or not span.length:
            continue
        raw, encoding = data_set.read_raw(span), data_set.find_encoding(span)
        if any(encode_tag(tag, encoding) in raw for tag in MEANINGFUL_TAGS):
            for item in data_set.read_items(group):
                found |= _find_present(item)
    return found
