"""What a compressed frame says about itself: read from its headers, without decoding it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

JPEG_START = b"\xff\xd8\xff"
"""What JPEG and JPEG-LS streams begin with: SOI and the next marker."""

JPEG_2000_START = b"\xff\x4f\xff\x51"
"""What JPEG 2000 codestreams begin with: SOC and SIZ."""

JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"
"""What JPEG 2000 in the boxes of a JP2 file begins with."""

JPEG_XL_START = b"\xff\x0a"
"""What JPEG XL codestreams begin with."""

JPEG_XL_BOXES_START = b"\0\0\0\x0cJXL \r\n\x87\n"
"""What JPEG XL in boxes begins with."""


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """The parameters that a codec's own header states for one frame.

    Attributes:
        kind: "jpeg", "jpeg-ls", "jpeg2000", "htj2k", "jpegxl", "rle" or "deflate".
        process: for people, such as "baseline sequential DCT" or "5-3 reversible".
        rows, columns, components: as the stream says; None where it does not say.
        precision: bits of a sample as coded; None where the stream does not say.
        signed: sign of the samples, where the stream has one (JPEG 2000), else None.
        lossless: True where decoding gives back what was encoded, False where the process loses
            information, None where the stream alone cannot tell.
        component_transform: True where the decoder itself turns the stream into RGB (JPEG 2000
            multiple component transform, JPEG XL XYB or YCbCr); False where it does not.
        subsampling: horizontal and vertical sampling factors of each component (JPEG, JPEG 2000).
        component_ids: as in the JPEG frame header.
        jfif: whether a JFIF APP0 segment is there.
        adobe_transform: transform flag of the Adobe APP14 segment (0 none, 1 YCbCr, 2 YCCK).
        near: JPEG-LS NEAR parameter, the largest of all scans.
        predictor: JPEG lossless selection value, 1 to 7, the largest of all scans.
        details: further facts to show to people.
    """

    kind: str
    process: str
    rows: int | None = None
    columns: int | None = None
    components: int | None = None
    precision: int | None = None
    signed: bool | None = None
    lossless: bool | None = None
    component_transform: bool = False
    subsampling: tuple[tuple[int, int], ...] = ()
    component_ids: tuple[int, ...] = ()
    jfif: bool = False
    adobe_transform: int | None = None
    near: int | None = None
    predictor: int | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def subsampled(self) -> bool:
        """Whether any component has fewer samples than another."""
        return len(set(self.subsampling)) > 1
