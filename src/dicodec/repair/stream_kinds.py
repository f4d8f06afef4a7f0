"""Recognise a frame's stream by its first bytes and markers, and find its transfer syntaxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dicodec.codecs.streams import jpeg, jpeg2000, jpegxl, rle
from dicodec.errors import FrameError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import STREAM_STARTS, StreamDescription
from dicodec.model.transfer_syntax import Loss, TransferSyntax, find_by_name
from dicodec.part10.source import ByteSource
from dicodec.repair.deflated_frames import inflates_to

HEAD_SIZE = 2048
"""Bytes that the headers of nearly every stream lie in."""

_DESCRIBERS: Mapping[str, Callable[[bytes], StreamDescription]] = {
    "jpeg": jpeg.describe, "jpeg2000": jpeg2000.describe, "jpegxl": jpegxl.describe,
}  # fmt: skip
"""Functions that describe a stream, by one of the kinds that begin alike."""

CHECK_WHOLE = {
    "jpeg": jpeg.check_whole, "jpeg-ls": jpeg.check_whole,
    "jpeg2000": jpeg2000.check_whole, "htj2k": jpeg2000.check_whole,
}  # fmt: skip
"""Functions that find the end of a stream, by its kind: those that end with a marker."""


def describe_stream(data: bytes) -> StreamDescription | None:
    """Describe an image stream; None if no such stream begins here.

    Raises:
        TruncatedFrameError: the headers go on behind these bytes.
    """
    for kind, describe in _DESCRIBERS.items():
        if data.startswith(STREAM_STARTS[kind]):
            try:
                return describe(data)
            except TruncatedFrameError:
                raise
            except FrameError:
                return None
    return None


def describe_whole_stream(data: bytes) -> StreamDescription | None:
    """Describe a whole frame's stream; None if it is not a stream, or cut short."""
    try:
        return describe_stream(data)
    except TruncatedFrameError:
        return None


def describe_stream_at(source: ByteSource, start: int, length: int) -> StreamDescription | None:
    """Describe the stream at an offset; None if there is none.

    Args:
        source: holds the stream.
        start: of the stream.
        length: of the stream; no more is read than its headers need.
    """
    size = min(length, HEAD_SIZE)
    while True:
        try:
            return describe_stream(source.read(start, size))
        except TruncatedFrameError:
            if size >= length:
                return None
            size = min(length, size * 32)


def find_headers(head: bytes, stream: StreamDescription) -> bytes:
    """Return the least of a stream's first bytes that give the same description.

    Any stream that begins with them is described so. b"" if they do not suffice, or if the
    description of such streams takes more than headers.

    Args:
        head: the first bytes of the stream.
        stream: its description.
    """
    if stream.kind not in CHECK_WHOLE or describe_whole_stream(head) != stream:
        return b""
    short, enough = 0, len(head)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (
            (short, middle) if describe_whole_stream(head[:middle]) == stream else (middle, enough)
        )
    return head[:enough]


def describe_stream_after_junk(
    data: bytes, family: str | None, image: ImagePixelDescription
) -> StreamDescription | None:
    """Return the stream that begins within these bytes, if it is of the image's own size.

    Args:
        data: a whole frame, or its first bytes.
        family: of the transfer syntax that is stated.
        image: as the data set describes it.
    """
    start = data.find(STREAM_STARTS[family][0]) if family in CHECK_WHOLE else -1
    if start <= 0:
        return None
    stream = describe_whole_stream(data[start:])
    return stream if stream and (stream.rows, stream.columns) == image.shape[:2] else None


_JPEG_PROCESSES = {
    "jpeg": {"baseline sequential DCT"},
    "jpeg-extended": {"baseline sequential DCT", "extended sequential DCT"},
    "1.2.840.10008.1.2.4.52": {
        "baseline sequential DCT", "extended sequential DCT",
        "extended sequential DCT, arithmetic coding",
    },
    "1.2.840.10008.1.2.4.53": {"progressive DCT"},
    "1.2.840.10008.1.2.4.54": {"progressive DCT, arithmetic coding"},
    "1.2.840.10008.1.2.4.55": {"progressive DCT"},
    "1.2.840.10008.1.2.4.56": {"progressive DCT, arithmetic coding"},
    "1.2.840.10008.1.2.4.58": {"lossless, arithmetic coding"},
}  # fmt: skip
"""Processes of ISO/IEC 10918-1 by transfer syntax (PS3.5 A.4.1); lossless ones by their start."""

_JPEG_CHOICE = {
    "baseline sequential DCT": "jpeg",
    "extended sequential DCT": "jpeg-extended",
    "extended sequential DCT, arithmetic coding": "1.2.840.10008.1.2.4.52",
    "progressive DCT": "1.2.840.10008.1.2.4.55",
    "progressive DCT, arithmetic coding": "1.2.840.10008.1.2.4.56",
}


type _Holds = Callable[[StreamDescription], bool]


def _is_any(stream: StreamDescription) -> bool:  # noqa: ARG001
    return True


def _is_reversible(stream: StreamDescription) -> bool:
    return stream.lossless is True


def _is_not_lossy(stream: StreamDescription) -> bool:
    return stream.lossless is not False


def _is_rpcl(stream: StreamDescription) -> bool:
    return stream.lossless is True and stream.details.get("progression") == "RPCL"


def _rebuilds_jpeg(stream: StreamDescription) -> bool:
    return bool(stream.details.get("jpeg_reconstruction"))


_HOLDS: dict[str, dict[str, _Holds]] = {
    "jpeg-ls": {"jpeg-ls": _is_reversible, "jpeg-ls-near": _is_any},
    "jpeg2000": {
        "jpeg2000-lossless": _is_reversible, "jpeg2000": _is_any,
        "jpeg2000-mc-lossless": _is_reversible, "jpeg2000-mc": _is_any,
    },
    "htj2k": {"htj2k-lossless": _is_reversible, "htj2k-rpcl": _is_rpcl, "htj2k": _is_any},
    "jpegxl": {"jpegxl-lossless": _is_not_lossy, "jpegxl-jpeg": _rebuilds_jpeg, "jpegxl": _is_any},
}  # fmt: skip
"""By kind of stream: the transfer syntaxes that may hold it, and when."""


def fits(stream: StreamDescription, syntax: TransferSyntax) -> bool:
    """Whether a transfer syntax may hold such a stream (PS3.5 A.4.1 to A.4.12)."""
    if stream.kind != "jpeg":
        holds = _HOLDS.get(stream.kind, {}).get(syntax.name)
        return holds is not None and holds(stream)
    if "hierarchical" in stream.process:
        return syntax.family == "jpeg" or not syntax.reads  # not told apart here
    if stream.predictor is not None and "arithmetic" not in stream.process:
        return syntax.name == "jpeg-lossless-p14" or (
            syntax.name == "jpeg-lossless" and stream.predictor == 1
        )
    if syntax.name == "jpeg" and stream.precision != 8:
        return False
    process = stream.process.partition(", selection")[0]
    return process in _JPEG_PROCESSES.get(syntax.name, ())


def find_syntax_of_stream(stream: StreamDescription, *, lossless: bool) -> TransferSyntax | None:
    """Return the transfer syntax of a stream; None if none can be named.

    Args:
        stream: its description.
        lossless: whether the file states that the image lost nothing. A reversible wavelet
            may have been cut to a rate, so the stream alone does not tell.
    """
    exact = lossless and stream.lossless is not False
    if stream.kind == "jpeg":
        if stream.predictor is not None:
            name = "jpeg-lossless" if stream.predictor == 1 else "jpeg-lossless-p14"
            if "arithmetic" in stream.process:
                name = "1.2.840.10008.1.2.4.58"
        else:
            name = _JPEG_CHOICE.get(stream.process, "")
            if name == "jpeg" and stream.precision != 8:
                name = "jpeg-extended"
    elif stream.kind == "jpeg-ls":
        name = "jpeg-ls" if stream.lossless else "jpeg-ls-near"
    elif stream.kind == "jpegxl" and stream.details.get("jpeg_reconstruction"):
        name = "jpegxl-jpeg"
    else:
        name = f"{stream.kind}-lossless" if exact else stream.kind
    return find_by_name(name)


def says_lossless(syntax: TransferSyntax | None, lossy_image_compression: str) -> bool:
    """Whether UID or data set claim that nothing was lost."""
    if syntax is not None and syntax.encapsulated:
        return syntax.loss is Loss.NEVER
    return lossy_image_compression == "00"


def count_planes(image: ImagePixelDescription) -> int:
    """Return how many segments an RLE frame of the image has (PS3.5 G.2)."""
    return image.samples_per_pixel * max(image.bits_allocated // 8, 1)


def is_rle_header(head: bytes, length: int, image: ImagePixelDescription) -> bool:
    """Whether 64 bytes are the header of an RLE frame of this image (PS3.5 G.5)."""
    if not may_be_rle_header(head, length, image):
        return False
    count, offsets = rle.read_header(head)
    return count == count_planes(image) and not any(offsets[count:])


def may_be_rle_header(head: bytes, length: int, image: ImagePixelDescription) -> bool:
    """Whether 64 bytes are such a header although it has more segments than the image needs."""
    if len(head) < rle.HEADER_SIZE:
        return False
    count, offsets = rle.read_header(head)
    planes = count_planes(image)
    used = offsets[:planes]
    return (
        planes <= count <= rle.MAX_SEGMENTS
        and len(set(used)) == len(used)
        and min(used) in {0, rle.HEADER_SIZE}
        and max(used) < length
    )


def measure_plane(image: ImagePixelDescription) -> int:
    """Return the bytes that one segment of an RLE frame of the image holds (PS3.5 G.2)."""
    return (image.rows * image.columns * min(image.bits_allocated, 8) + 7) // 8


def measure_rle_frame(stream: bytes, image: ImagePixelDescription) -> int:
    """Return the length of the RLE frame of an image that some bytes begin with (PS3.5 G).

    0 if a plane is missing, or if there is one too many.
    """
    needed, size = count_planes(image), measure_plane(image)
    try:
        planes = rle.find_planes(stream, needed, size)
        starts = [start for start, _ in rle.find_segments(stream, needed)[:needed]]
        ends = [rle.find_end_of_runs(plane, size) for plane in planes]
    except FrameError:
        return 0
    return max(map(sum, zip(starts, ends, strict=True)))


def deduce_kinds(
    source: ByteSource,
    starts: Sequence[int],
    lengths: Sequence[int],
    image: ImagePixelDescription,
) -> list[str]:
    """Return the transfer syntaxes that frames without a signature may be in.

    Args:
        source: holds the fragments.
        starts: of the fragments, without the Basic Offset Table.
        lengths: of the same.
        image: as the data set describes it.

    Returns:
        "rle", and "encapsulated-uncompressed" or "deflated-frame".
    """
    if not starts:
        return []
    size = image.native_frame_size
    found = []
    if is_rle_header(source.read(starts[0], rle.HEADER_SIZE), lengths[0], image):
        found.append("rle")
    if len(starts) == image.number_of_frames and set(lengths) <= {size, size + size % 2}:
        found.append("encapsulated-uncompressed")
    elif inflates_to(source.read(starts[0], min(lengths[0], 2 * size + 64)), size):
        found.append("deflated-frame")
    return found


def deduce_kind(
    source: ByteSource,
    starts: Sequence[int],
    lengths: Sequence[int],
    image: ImagePixelDescription,
) -> str:
    """Return the one transfer syntax of `deduce_kinds`; "" if there is not just one."""
    found = deduce_kinds(source, starts, lengths, image)
    return found[0] if len(found) == 1 else ""
