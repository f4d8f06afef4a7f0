"""The transfer syntaxes that are measured: names, UIDs, and what is asked of a lossy one."""

from __future__ import annotations

from dataclasses import dataclass

NATIVE = "explicit-le"


@dataclass(frozen=True, slots=True)
class Syntax:
    """One transfer syntax.

    Attributes:
        name: as dicodec has it.
        uid: of the transfer syntax.
        options: what dicodec is told beside the name.
        codec: whether frames are compressed: such a row may be bound by its codec.
        near: the largest error of a sample in JPEG-LS near-lossless, 0 elsewhere.
        largest, typical: of other lossy ones, the largest error of a sample and the root of the
            mean square of all errors that count as right, as shares of the range of Bits Stored.
            Where chroma has half the columns, edges between colors are far off, but few.
    """

    name: str
    uid: str
    options: tuple[str, ...] = ()
    codec: bool = True
    near: int = 0
    largest: float = 0
    typical: float = 0

    def bounds(self, stored: int) -> tuple[int, float]:
        """Return the largest error and the root of the mean square that count as right."""
        if self.near:
            return self.near, self.near
        return int(self.largest * (1 << stored)), self.typical * (1 << stored)


QUALITY = 90
NEAR = 2
_QUALITY = ("--quality", str(QUALITY))

SYNTAXES: dict[str, Syntax] = {
    syntax.name: syntax
    for syntax in (
        Syntax(NATIVE, "1.2.840.10008.1.2.1", codec=False),
        Syntax("implicit-le", "1.2.840.10008.1.2", codec=False),
        Syntax("deflated", "1.2.840.10008.1.2.1.99"),
        Syntax("deflated-frame", "1.2.840.10008.1.2.8.1"),
        Syntax("rle", "1.2.840.10008.1.2.5"),
        Syntax("jpeg", "1.2.840.10008.1.2.4.50", _QUALITY, largest=0.6, typical=0.03),
        Syntax("jpeg-extended", "1.2.840.10008.1.2.4.51", _QUALITY, largest=0.05, typical=0.01),
        Syntax("jpeg-lossless", "1.2.840.10008.1.2.4.70"),
        Syntax("jpeg-ls", "1.2.840.10008.1.2.4.80"),
        Syntax("jpeg-ls-near", "1.2.840.10008.1.2.4.81", ("--near", str(NEAR)), near=NEAR),
        Syntax("jpeg2000-lossless", "1.2.840.10008.1.2.4.90"),
        Syntax("htj2k-lossless", "1.2.840.10008.1.2.4.201"),
        Syntax("jpegxl-lossless", "1.2.840.10008.1.2.4.110"),
    )
}
