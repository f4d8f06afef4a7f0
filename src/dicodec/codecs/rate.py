"""Rate of lossy JPEG 2000 and HTJ2K: by quality, by PSNR, or by a search for a ratio."""

from __future__ import annotations

import math
from collections.abc import Callable

from dicodec.codecs.base import Samples
from dicodec.codecs.sample_notes import RATIO_TOLERANCE
from dicodec.errors import InvalidOptionError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, dataclass

LOWEST_PSNR, HIGHEST_PSNR = 20.0, 110.0
DEFAULT_QUALITY = 90
_LEAST_SEARCHED = 1.0
"""dB: ratios of hundreds take less than anybody asks for."""
_NARROWEST = 0.002
"""dB: in smooth images half a decibel may halve the size, or divide it by three."""
_NEAR_ENOUGH = 0.97


class Goal(NamedTuple):
    """What one frame is to be.

    Attributes:
        most_bytes: of the stream; 0 if the error counts.
        psnr: decibels that are reached at least.
        of_range: whether the peak is the range of the frame's values, not that of Bits Stored.
    """

    most_bytes: int
    psnr: float
    of_range: bool


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

    def find_goal(self, native: int) -> Goal:
        """Return the goal of an encoder that has one by itself.

        Args:
            native: bytes of the native frame.
        """
        if self.ratio is not None:
            return Goal(max(1, int(native / self.ratio)), 0.0, of_range=False)
        if self.psnr is not None:
            return Goal(0, self.psnr, of_range=False)
        return Goal(0, _find_psnr(self.quality), of_range=True)

    def encode(
        self,
        encode_at: Callable[[float], bytes],
        samples: Samples,
        image: ImagePixelDescription,
    ) -> bytes:
        """Return the stream that `encode_at`, given a PSNR by Bits Stored, makes for this rate."""
        if self.ratio is not None:
            native = samples.size * image.bits_allocated / 8
            return _find_nearest_below(encode_at, int(native / self.ratio))
        if self.psnr is not None:
            return encode_at(self.psnr)
        peak = float((1 << image.bits_stored) - 1)
        used = max(float(samples.max()) - float(samples.min()), 1.0)
        wanted = _find_psnr(self.quality) + 20 * math.log10(peak / used)
        return encode_at(min(max(wanted, LOWEST_PSNR), HIGHEST_PSNR))


def _find_psnr(quality: int) -> float:
    """Return the PSNR in dB by the range of the frame's values."""
    return 30 + quality / 4


def _find_nearest_below(encode_at: Callable[[float], bytes], size: int) -> bytes:
    """Search the PSNR whose stream is the largest of at most `size` bytes, or little more.

    The library takes no rate. The interval is halved until the stream is within 3 % of the size, or
    until no other stream may be expected. OpenJPEG leaves gaps between the sizes that it makes, so
    a stream that is a tenth larger at most is preferred to one that is more than a tenth smaller.
    """
    low, high = _LEAST_SEARCHED, HIGHEST_PSNR
    below = above = b""
    while high - low > _NARROWEST and len(below) < _NEAR_ENOUGH * size:
        middle = (low + high) / 2
        stream = encode_at(middle)
        if len(stream) > size:
            high, above = middle, stream
        else:
            low, below = middle, max(below, stream, key=len)
    if not below:
        return above
    far = len(below) * (1 + RATIO_TOLERANCE) < size
    return above if far and above and len(above) * (1 - RATIO_TOLERANCE) <= size else below
