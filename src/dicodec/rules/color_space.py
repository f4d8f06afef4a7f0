"""Decide the color space of a stream's samples: data set and stream may contradict each other.

PS3.5 8.2.1 says that Photometric Interpretation, not JFIF or Adobe markers, gives the color space
of a JPEG stream. Real files err in both directions, so the procedure below weighs certainties
(subsampled components are never RGB), then marks of one kind of encoder
(component ids "R", "G", "B"; an Adobe marker that denies a transform), then the data set.
"""

from __future__ import annotations

from dicodec.model.image import SAMPLES_PER_PIXEL, ImagePixelDescription
from dicodec.model.records import NamedTuple

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.model.stream import StreamDescription

_RGB_IDS = (ord("R"), ord("G"), ord("B"))
_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})
_YBR = _PARTIAL | {"YBR_FULL", "YBR_FULL_422"}
_JPEG_2000 = frozenset({"jpeg2000", "htj2k"})
_ONLY_IN = {"YBR_RCT": _JPEG_2000, "YBR_ICT": _JPEG_2000, "XYB": frozenset({"jpegxl"})}
"""Families that Photometric Interpretations belong to; their codecs turn them into RGB."""


class ColorSpace(NamedTuple):
    """A decision.

    Attributes:
        photometric_interpretation: of the samples as they are coded.
        reason: in words; "" if data set and stream agree.
    """

    photometric_interpretation: str
    reason: str


def colors_agree(image: ImagePixelDescription, family: str | None) -> bool:
    """Whether Photometric Interpretation agrees with Samples per Pixel and the transfer syntax.

    PS3.3 C.7.6.3.1.2, PS3.5 8.2.4. An unknown interpretation agrees with everything.

    Args:
        image: as the data set describes it.
        family: codec family of the transfer syntax.
    """
    stated = image.photometric_interpretation
    samples = SAMPLES_PER_PIXEL.get(stated, image.samples_per_pixel)
    return samples == image.samples_per_pixel and exists_in(stated, family)


def exists_in(photometric_interpretation: str, family: str | None) -> bool:
    """Whether samples of a codec family may be in a Photometric Interpretation."""
    families = _ONLY_IN.get(photometric_interpretation)
    return families is None or family in families


def decide_color_space(image: ImagePixelDescription, stream: StreamDescription) -> ColorSpace:
    """Decide the Photometric Interpretation of the samples in a stream."""
    stated = image.photometric_interpretation
    if image.samples_per_pixel != 3:
        return ColorSpace(stated, "")
    if stream.kind in _JPEG_2000:
        return _decide_jpeg_2000(stated, stream)
    if stream.kind == "jpeg":
        return _decide_jpeg(stated, stream)
    return ColorSpace(stated, "")


def _decide_jpeg_2000(stated: str, stream: StreamDescription) -> ColorSpace:
    """PS3.5 8.2.4: the multiple component transform of the COD marker decides."""
    if stream.subsampled and stated in {"RGB", "YBR_RCT", "YBR_ICT"}:
        return ColorSpace(
            "YBR_FULL_422",
            f"chroma is subsampled, so the codestream is YCbCr although the data set says {stated}",
        )
    if stream.component_transform:
        coded = "YBR_ICT" if stream.lossless is False else "YBR_RCT"
        if stated == coded:
            return ColorSpace(coded, "")
        return ColorSpace(
            coded, f"the codestream has a component transform, {stated} in the data set is wrong"
        )
    if stated in {"YBR_RCT", "YBR_ICT"}:
        return ColorSpace(
            "RGB", f"the codestream has no component transform, {stated} in the data set is wrong"
        )
    return ColorSpace(stated, "")


def _decide_jpeg(stated: str, stream: StreamDescription) -> ColorSpace:
    """The first row that applies decides."""
    rows = (
        (
            stated == "RGB" and stream.subsampled,
            "YBR_FULL_422",
            "chroma is subsampled, so the stream is YCbCr although the data set says RGB",
        ),
        (
            stated in _YBR and stream.component_ids == _RGB_IDS and not stream.subsampled,
            "RGB",
            f"the components are named R, G and B although the data set says {stated}",
        ),
        (
            stated in _YBR and stream.adobe_transform == 0 and not stream.subsampled,
            "RGB",
            f"the Adobe marker denies a transform although the data set says {stated}",
        ),
        (
            stated == "RGB" and stream.adobe_transform == 1,
            "YBR_FULL",
            "the Adobe marker says YCbCr although the data set says RGB",
        ),
        (
            stated == "RGB" and stream.details.get("jpegxl_color") == "YCbCr",
            "YBR_FULL",
            "JPEG XL says that its JPEG stream is YCbCr although the data set says RGB",
        ),
        (
            stated in _YBR and stream.details.get("jpegxl_color") == "RGB",
            "RGB",
            f"JPEG XL says that its JPEG stream is RGB although the data set says {stated}",
        ),
        (
            stated == "RGB" and stream.jfif and not stream.lossless
            and stream.component_ids != _RGB_IDS and stream.adobe_transform is None,
            "YBR_FULL",
            "a JFIF stream is YCbCr although the data set says RGB",
        ),
        (
            stated in _PARTIAL and not stream.lossless
            and (stream.jfif or stream.adobe_transform == 1),
            "YBR_FULL",
            f"YCbCr of JFIF and Adobe has the full range although the data set says {stated}",
        ),
    )  # fmt: skip
    for applies, coded, reason in rows:
        if applies:
            return ColorSpace(coded, reason)
    return ColorSpace(stated, "")
