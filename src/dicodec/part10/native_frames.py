"""Frames within native Pixel Data (PS3.5 8.1.1): where each begins, and its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from dicodec.errors import TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.elements import ElementSpan
from dicodec.part10.source import ByteSource
from dicodec.part10.swap import swapped


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """The frames of a native image.

    Attributes:
        span: the Pixel Data element.
        image: describes each frame.
        swapped_words: whether bytes are exchanged within 16-bit words: 8-bit and 1-bit samples in
            OW and big endian (PS3.5 7.3, 8.1.1).
    """

    span: ElementSpan
    image: ImagePixelDescription
    swapped_words: bool

    def __len__(self) -> int:
        return self.image.number_of_frames

    @property
    def expected_length(self) -> int:
        """Bytes that all frames take, without the pad byte."""
        return (self.image.native_frame_bits * len(self) + 7) // 8

    def first_bit(self, frame: int) -> int:
        """Return at which bit of its first byte a frame begins; 0 but for 1-bit samples."""
        return frame * self.image.native_frame_bits % 8

    def read(self, source: ByteSource, frame: int) -> bytes:
        """Return the bytes that a frame lies in, from the one that holds its first bit.

        Raises:
            TruncatedFrameError: Pixel Data ends inside the frame.
        """
        bits = self.image.native_frame_bits
        start = frame * bits // 8
        end = ((frame + 1) * bits + 7) // 8
        if end > self.span.length:
            raise TruncatedFrameError(
                f"Pixel Data ends after {self.span.length} bytes where the frame needs {end}",
                frame=frame,
                offset=self.span.value + self.span.length,
            )
        if not self.swapped_words:
            return source.read(self.span.value + start, end - start)
        word_start, word_end = start & ~1, end + (end & 1)
        words = swapped(source.read(self.span.value + word_start, word_end - word_start), 2)
        return words[start - word_start : end - word_start]
