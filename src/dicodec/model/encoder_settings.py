"""Settings of the encoders: one value for all codec families, of which each takes its own."""

from __future__ import annotations

from dicodec.model.records import dataclass


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Settings of the encoders; None means the default named here.

    Attributes:
        quality: 1 to 100, default 90: JPEG's usual scale; JPEG XL's, in which 90 is a Butteraugli
            distance of 1; for lossy JPEG 2000 and HTJ2K a PSNR of 30 dB + quality / 4 over the
            range of values that a frame really has.
        near: JPEG-LS NEAR, the largest error of a sample, 0 to 255, default 2.
        ratio: lossy JPEG 2000 and HTJ2K: native size by compressed size, reached within a tenth if
            the codec can. Comes before `psnr`, and that before `quality`.
        psnr: lossy JPEG 2000 and HTJ2K: decibels; the peak is the range of Bits Stored.
        photometric: Photometric Interpretation wanted inside the stream: "RGB" keeps RGB if
            the codec would transform it (JPEG, JPEG 2000, HTJ2K); default: the one that compresses
            best.
        subsampling: of JPEG's chroma: "444", "422" or "420", default "422".
        predictor: selection value of JPEG lossless process 14, 1 to 7, default 1.
        effort: JPEG XL, 1 (fast) to 9, default 1 for lossless and 5 for lossy.
    """

    quality: int | None = None
    near: int | None = None
    ratio: float | None = None
    psnr: float | None = None
    photometric: str | None = None
    subsampling: str | None = None
    predictor: int | None = None
    effort: int | None = None


DEFAULT_SETTINGS = EncoderSettings()
