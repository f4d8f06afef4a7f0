"""Description of a compressed frame, read from its own headers without decoding it."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.model.records import dataclass, field

JPEG_START = b"\xff\xd8\xff"
"""First bytes of JPEG and JPEG-LS streams: SOI and the next marker."""

JPEG_2000_START = b"\xff\x4f\xff\x51"
"""First bytes of JPEG 2000 codestreams: SOC and SIZ."""

JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"
"""First bytes of JPEG 2000 in the boxes of a JP2 file."""

JPEG_XL_START = b"\xff\x0a"
"""First bytes of JPEG XL codestreams."""

JPEG_XL_BOXES_START = b"\0\0\0\x0cJXL \r\n\x87\n"
"""First bytes of JPEG XL in boxes."""

STREAM_STARTS: Mapping[str, tuple[bytes, ...]] = {
    "jpeg": (JPEG_START,), "jpeg-ls": (JPEG_START,),
    "jpeg2000": (JPEG_2000_START, JP2_START), "htj2k": (JPEG_2000_START, JP2_START),
    "jpegxl": (JPEG_XL_START, JPEG_XL_BOXES_START),
}  # fmt: skip
"""First bytes by kind of stream, which is the family of its transfer syntaxes: bare, in boxes."""

STREAM_END = b"\xff\xd9"
"""Last bytes: EOI of JPEG and JPEG-LS, EOC of JPEG 2000."""

PADDED_ENDS = (STREAM_END, STREAM_END + b"\0")
"""Last bytes of a fragment that such a stream ends in."""


_BETWEEN = 64
"""Bytes behind a stream in which another one may begin, behind zeros."""


def begins_behind(data: bytes, end: int, kind: str) -> bool:
    """Say whether another stream of a kind begins behind one that ends at `end`."""
    if len(data) - end <= 1:  # nothing, or a pad byte
        return False
    rest = data[end : end + _BETWEEN]
    found = (rest.find(start) for start in STREAM_STARTS[kind])
    return any(at >= 0 and not any(rest[:at]) for at in found)


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """The parameters that a codec's own header states for one frame.

    Attributes:
        kind: "jpeg", "jpeg-ls", "jpeg2000", "htj2k", "jpegxl", "rle" or "deflate".
        process: for people, such as "baseline sequential DCT" or "5-3 reversible".
        rows, columns, components: as the stream says; None if it does not say.
        precision: bits of a sample as coded; None if the stream does not say.
        signed: sign of the samples, if the stream has one (JPEG 2000), else None.
        lossless: True if decoding gives back the encoded samples, False if the process loses
            information, None if the stream alone cannot tell.
        component_transform: True if the decoder itself turns the stream into RGB (JPEG 2000
            multiple component transform, JPEG XL XYB or YCbCr), else False.
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
