"""The interface of a codec family: a description and a buffer in, samples or a buffer out.

A codec knows no data set, no tag and no file. Samples are NumPy arrays of `image.shape` and
`image.dtype`, C-contiguous, by pixel (Planar Configuration 0), each value within Bits Stored:
zero-extended if unsigned and sign-extended if signed. 1-bit samples take a byte each.

Words are the same samples without NumPy: a C-contiguous buffer with the bytes of such an array,
whose containers are of 8 or 16 bits.
"""

from __future__ import annotations

from dicodec.codecs.sample_notes import SampleNotes
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import Protocol
from dicodec.model.stream import StreamDescription

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

type Buffer = bytes | bytearray | memoryview
type Samples = NDArray[Any]


class Decoder(Protocol):
    """Turns one frame's stream into samples.

    A decoder whose library can use several threads for one frame has a field `threads`; so has an
    encoder. See `dicodec.codecs.table.with_threads`.
    """

    def describe(self, stream: Buffer) -> StreamDescription:
        """Return the stream's description from its own headers, without decoding it.

        Raises:
            CorruptFrameError: the headers do not parse, or belong to another kind of stream.
        """

    def decode(
        self, stream: Buffer, image: ImagePixelDescription, notes: SampleNotes | None = None
    ) -> Samples:
        """Return the frame's samples, with no color conversion but the codec's own.

        Args:
            stream: one whole frame, all fragments joined; trailing pad bytes are allowed.
            image: the image as the data set describes it.
            notes: collects the changes made to samples that do not fit Bits Stored.

        Returns:
            An array of `image.shape` and `image.dtype`. A JPEG stream's components come as
            stored, chroma brought to full resolution; a JPEG 2000 stream with a multiple
            component transform comes as RGB.

        Raises:
            TruncatedFrameError: the stream ends too early; pixels are never made up.
            CorruptFrameError: the stream cannot be decoded.
            FrameMismatchError: rows, columns, components or precision are not those of `image`.
            UnsupportedSourceError: the library would decode such a stream inexactly, or NumPy has
                no type for its samples.
        """

    def describe_decoded(
        self, stream: StreamDescription, image: ImagePixelDescription
    ) -> ImagePixelDescription:
        """Describe the samples that `decode` returns; pure.

        Planar Configuration is 0 and High Bit is Bits Stored - 1; Photometric Interpretation is
        that of the samples: YBR_FULL for a stream of YBR_FULL_422, RGB for YBR_RCT.

        Args:
            stream: the result of `describe`.
            image: the image as the data set describes it.

        Raises:
            UnsupportedSourceError: such a Photometric Interpretation cannot be decoded.
        """


class Encoder(Protocol):
    """Turns samples into one frame's stream; an immutable value whose fields are its settings."""

    def describe_encoded(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Describe the image as it will be stored; pure, so that the header can be written first.

        Raises:
            UnsupportedImageError: this codec cannot hold such an image.
        """

    def encode(self, samples: Samples, image: ImagePixelDescription) -> Buffer:
        """Return the stream of one frame; of any length, the caller pads it.

        Args:
            samples: an array of `image.shape` and `image.dtype`.
            image: the image before it is encoded.

        Raises:
            SampleRangeError: a sample is outside Bits Stored.
            EncodeError: the codec library refused.
        """


class HalvingDecoder(Protocol):
    """A decoder whose streams hold lower resolutions of a frame, which take less time."""

    def decode_halved(
        self, stream: Buffer, image: ImagePixelDescription, halvings: int
    ) -> Samples | None:
        """Return a frame's samples with its rows and columns halved, each time rounded up.

        Args:
            stream: as of `Decoder.decode`.
            image: as of `Decoder.decode`, in full size.
            halvings: how often at most; a stream with fewer resolutions is halved less often.

        Returns:
            An array of `image.dtype`, each sample being about the mean of those in its place. None
            if only `decode` can tell: the stream has one resolution, its samples need corrections.

        Raises:
            FrameError: as `Decoder.decode`.
        """


class WordDecoder(Protocol):
    """A decoder whose kernel needs no array, because it writes words: see the module."""

    def decode_words(self, stream: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the result of `Decoder.decode` as words; `decode` asks for them first.

        Args:
            stream: as of `Decoder.decode`.
            image: as of `Decoder.decode`.

        Returns:
            The words; `stream` itself if nothing has to change. None if only `decode` can tell:
            there is no kernel, or none for such a stream or image, or there is something to note,
            such as a sample past Bits Stored.

        Raises:
            FrameError: as `Decoder.decode`.
        """


class WordEncoder(Protocol):
    """An encoder whose kernel needs no array, because it reads words: see the module."""

    def encode_words(self, words: Buffer, image: ImagePixelDescription) -> Buffer | None:
        """Return the result of `Encoder.encode` for the same samples; `encode` asks for it first.

        Args:
            words: of `image.shape` and `image.dtype`.
            image: the image before it is encoded.

        Returns:
            The stream; `words` itself if nothing has to change. None if only `encode` can tell:
            there is no kernel, or none for such an image, or a sample is outside Bits Stored.

        Raises:
            UnsupportedImageError: this codec cannot hold such an image.
        """
