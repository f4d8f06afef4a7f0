"""Count samples that decoders change, and streams that they leave out behind a frame's."""

from __future__ import annotations

import math
from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms

from dicodec.model.image import ImagePixelDescription

RATIO_TOLERANCE = 0.1
"""Share of the compression ratio that was asked for by which a result may miss it in silence."""
PSNR_TOLERANCE = 1.0
"""dB by which a frame may miss, in silence, the PSNR that was asked for."""


class SampleNotes:
    """Takes notes from several threads, frame by frame."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self.masked = 0
        """Samples whose words had bits set above High Bit, which were left out."""
        self.clipped = 0
        """Samples that a lossy process had brought past Bits Stored, and that were clipped."""
        self.followed = 0
        """Frames whose fragments hold another frame's stream behind theirs, which is left out."""
        self._lowest = self._highest = 0
        self._least_psnr = math.inf

    def note_masked(self, count: int) -> None:
        """Note samples whose words had more bits set than the sample's."""
        with self._lock:
            self.masked += count

    def note_followed(self) -> None:
        """Note a frame with another stream, or another frame's samples, behind its own."""
        with self._lock:
            self.followed += 1

    def note_clipped(self, count: int, lowest: int, highest: int) -> None:
        """Note samples that were clipped, and the frame's smallest and largest sample."""
        with self._lock:
            self.clipped += count
            self._lowest = min(self._lowest, lowest)
            self._highest = max(self._highest, highest)

    def note_psnr(self, reached: float) -> None:
        """Note the PSNR in dB that a lossy frame has."""
        with self._lock:
            self._least_psnr = min(self._least_psnr, reached)

    def list_missed_psnr(self, asked: float | None) -> list[str]:
        """Return a warning for the user if a frame misses the PSNR that was asked for."""
        if asked is None or self._least_psnr >= asked - PSNR_TOLERANCE:
            return []
        reached = f"the PSNR of a frame is {self._least_psnr:.1f} dB"
        return [f"{reached}, and {asked:g} dB was asked for: the encoder reaches no more"]

    def describe_followed(self) -> str:
        """Describe the frames with others behind them."""
        return (
            f"the fragments of {self.followed} frame(s) hold more than one frame each, though "
            "Number of Frames has no place for more; those behind the first are left out"
        )

    def list_warnings(self, image: ImagePixelDescription) -> list[str]:
        """Return the warnings for the user."""
        told = []
        if self.masked:
            told.append(
                f"{self.masked} sample(s) have bits set above their High Bit that are neither sign "
                f"nor overlay; they are not part of the {image.bits_stored} bits stored, and are "
                "left out (PS3.5 8.1.1)"
            )
        if self.followed:
            told.append(self.describe_followed())
        if self.clipped:
            low, high = image.sample_range
            told.append(
                f"{self.clipped} sample(s) are past Bits Stored {image.bits_stored} in the "
                f"streams, between {self._lowest} and {self._highest}, as lossy processes "
                f"overshoot; they are clipped to {low} to {high}"
            )
        return told
