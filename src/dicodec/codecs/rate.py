"""Rate of lossy JPEG 2000 and HTJ2K: by quality, by PSNR, or by a search for a ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dicodec.codecs.base import Samples
from dicodec.errors import InvalidOptionError
from dicodec.model.image import ImagePixelDescription

LOWEST_PSNR, HIGHEST_PSNR = 20.0, 110.0
DEFAULT_QUALITY = 90
_SEARCH_STEPS = 7


@dataclass(frozen=True, slots=True)
class Rate:
    """The goal of a lossy encoder; the first that is given counts.

    Attributes:
        ratio: native size by compressed size.
        psnr: decibels; the peak is the range of Bits Stored.
        quality: 1 to 100: 30 dB + quality / 4, the peak being the range of the frame's values, so
            that a 12-bit image in 16 bits is not judged by values it never takes.
    """

    ratio: float | None = None
    psnr: float | None = None
    quality: int = DEFAULT_QUALITY

    def __post_init__(self) -> None:
        if self.ratio is not None and not 1 <= self.ratio <= 10_000:
            raise InvalidOptionError(f"ratio is 1 to 10000, not {self.ratio}")
        if self.psnr is not None and not LOWEST_PSNR <= self.psnr <= HIGHEST_PSNR:
            raise InvalidOptionError(
                f"psnr is {LOWEST_PSNR:.0f} to {HIGHEST_PSNR:.0f} dB, not {self.psnr}"
            )
        if not 1 <= self.quality <= 100:
            raise InvalidOptionError(f"quality is 1 to 100, not {self.quality}")

    def encode(
        self,
        encode_at: Callable[[float], bytes],
        samples: Samples,
        image: ImagePixelDescription,
    ) -> bytes:
        """Return the stream that `encode_at`, given a PSNR by Bits Stored, makes for this rate."""
        if self.ratio is not None:
            native = samples.size * image.bits_allocated / 8
            return _find_largest_below(encode_at, int(native / self.ratio))
        if self.psnr is not None:
            return encode_at(self.psnr)
        peak = float((1 << image.bits_stored) - 1)
        used = max(float(samples.max()) - float(samples.min()), 1.0)
        wanted = 30 + self.quality / 4 + 20 * math.log10(peak / used)
        return encode_at(min(max(wanted, LOWEST_PSNR), HIGHEST_PSNR))


def _find_largest_below(encode_at: Callable[[float], bytes], size: int) -> bytes:
    """Search for the PSNR whose stream is the largest of at most `size` bytes.

    The library takes no rate. 6 dB are about one bit of each sample, so that halving the interval
    seven times comes within a tenth of a bit; a stream within 3 % of the size is taken at once.
    """
    low, high = LOWEST_PSNR, HIGHEST_PSNR
    best = b""
    for _ in range(_SEARCH_STEPS):
        middle = (low + high) / 2
        stream = encode_at(middle)
        if len(stream) > size:
            high = middle
            continue
        low = middle
        best = max(best, stream, key=len)
        if len(stream) >= 0.97 * size:
            break
    return best or encode_at(LOWEST_PSNR)
