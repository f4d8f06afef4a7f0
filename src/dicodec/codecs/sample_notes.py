"""What decoders did to samples that do not fit Bits Stored, counted over all frames of a file."""

from __future__ import annotations

from threading import Lock

from dicodec.model.image import ImagePixelDescription


class SampleNotes:
    """Takes notes from several threads, one frame after the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.masked = 0
        """Samples in whose words bits above High Bit were set, and left out."""
        self.clipped = 0
        """Samples that a lossy process had brought past Bits Stored, and that were clipped."""
        self._lowest = self._highest = 0

    def note_masked(self, count: int) -> None:
        """Note samples whose words had more in them than the sample."""
        with self._lock:
            self.masked += count

    def note_clipped(self, count: int, lowest: int, highest: int) -> None:
        """Note samples that were clipped, and from where to where those of the frame reached."""
        with self._lock:
            self.clipped += count
            self._lowest = min(self._lowest, lowest)
            self._highest = max(self._highest, highest)

    def warnings(self, image: ImagePixelDescription) -> list[str]:
        """Return what the user should know, in words."""
        told = []
        if self.masked:
            told.append(
                f"{self.masked} sample(s) have bits set above their High Bit that are no sign and "
                f"no overlay; they are no part of the {image.bits_stored} bits stored, and are "
                "left out (PS3.5 8.1.1)"
            )
        if self.clipped:
            low, high = image.sample_range
            told.append(
                f"{self.clipped} sample(s) are past Bits Stored {image.bits_stored} in the "
                f"streams, between {self._lowest} and {self._highest}, as lossy processes "
                f"overshoot; they are clipped to {low} to {high}"
            )
        return told
