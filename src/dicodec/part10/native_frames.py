"""Read frames from native Pixel Data (PS3.5 8.1.1): the offset of each, and its bytes."""

from __future__ import annotations

from dicodec.errors import TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import dataclass
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.reencode import swap_bytes
from dicodec.part10.source import ByteSource


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
        """Bytes that all frames take: whole words if swapped, else without the pad byte."""
        return self._compute_stored_length(self.image.native_size)

    @property
    def whole(self) -> int:
        """Number of frames, from the first, of which Pixel Data has every byte."""
        length = self.span.length - (self.span.length % 2 if self.swapped_words else 0)
        return min(length * 8 // max(self.image.native_frame_bits, 1), len(self))

    def read(self, source: ByteSource, frame: int) -> bytes:
        """Return the bytes of a frame, which begin with its first bit.

        Raises:
            TruncatedFrameError: Pixel Data ends inside the frame.
        """
        bits = self.image.native_frame_bits
        start = frame * bits // 8
        end = ((frame + 1) * bits + 7) // 8
        stored_end = self._compute_stored_length(end)
        if stored_end > self.span.length:
            raise TruncatedFrameError(
                f"Pixel Data ends after {self.span.length} bytes, but the frame needs {stored_end}",
                frame=frame,
                offset=self.span.value + self.span.length,
            )
        if not self.swapped_words:
            data = source.read(self.span.value + start, end - start)
        else:
            first = start & ~1
            words = swap_bytes(source.read(self.span.value + first, stored_end - first), 2)
            data = words[start - first : end - first]
        return shift_bits(data, frame * bits % 8, bits)

    def read_start(self, source: ByteSource, frame: int) -> tuple[bytes, int]:
        """Return the samples that are there of a frame that Pixel Data ends inside.

        Returns:
            Whole samples, or whole groups of those that share their chroma, from bit 0 on; and how
            many bits they take.
        """
        image = self.image
        start = frame * image.native_frame_bits
        length = self.span.length - (self.span.length % 2 if self.swapped_words else 0)
        group = (
            1 if image.native_frame_bits == image.samples_per_frame * image.bits_allocated else 4
        )
        unit = image.bits_allocated * group
        bits = max(8 * length - start, 0) // unit * unit
        first, end = start // 8, (start + bits + 7) // 8
        if not self.swapped_words:
            data = source.read(self.span.value + first, end - first)
        else:
            words = source.read(
                self.span.value + (first & ~1), self._compute_stored_length(end) - (first & ~1)
            )
            data = swap_bytes(words, 2)[first % 2 : first % 2 + end - first]
        return shift_bits(data, start % 8, bits), bits

    def _compute_stored_length(self, length: int) -> int:
        """Return the bytes of the value that the first `length` bytes of frames take.

        The last byte of an odd number is the second one of its word if words are swapped; the
        first one is padding (PS3.5 8.1.1), or belongs to the next frame.
        """
        return length + (length % 2 if self.swapped_words else 0)


def shift_bits(data: bytes, first_bit: int, count: int) -> bytes:
    """Return `count` bits that begin at `first_bit` as bytes that begin with them.

    The first sample is the lowest bit of a byte (PS3.5 8.1.1), so the bits of a frame are those of
    one little endian integer. Bits behind the last sample become 0.
    """
    if first_bit == 0 and count % 8 == 0:
        return data
    number = int.from_bytes(data, "little") >> first_bit & (1 << count) - 1
    return number.to_bytes((count + 7) // 8, "little")


class BitJoiner:
    """Joins frames whose bits do not fill their last byte: the next frame begins inside it."""

    def __init__(self, frame_bits: int) -> None:
        self._frame_bits = frame_bits
        self._carried = 0
        self._carried_bits = 0

    def join[Frame: bytes | bytearray | memoryview](self, frame: Frame) -> Frame | bytes:
        """Add a frame and return the whole bytes that there are now."""
        if self._frame_bits % 8 == 0:
            return frame
        number = int.from_bytes(frame, "little") & (1 << self._frame_bits) - 1
        number = number << self._carried_bits | self._carried
        bits = self._frame_bits + self._carried_bits
        whole, self._carried_bits = divmod(bits, 8)
        self._carried = number >> 8 * whole
        return (number & (1 << 8 * whole) - 1).to_bytes(whole, "little")

    def finish(self) -> bytes:
        """Return the last byte, if it is partly filled."""
        return bytes([self._carried]) if self._carried_bits else b""
