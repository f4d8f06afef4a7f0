"""Pixel Data that is not stored as its transfer syntax says: native, or in fragments."""

from __future__ import annotations

from itertools import islice

from dicodec.errors import DicodecError, FrameError, MalformedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS, StreamDescription
from dicodec.model.transfer_syntax import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TransferSyntax,
    find_by_name,
)
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.elements import SEQUENCE_DELIMITER, ElementSpan, Walker
from dicodec.part10.encoding import EXPLICIT_LITTLE, DataSetEncoding, encode_tag
from dicodec.part10.fragments import LONGEST_START, begins_stream
from dicodec.part10.image_attributes import parse_image_description
from dicodec.repair.stream_kinds import (
    CHECK_WHOLE,
    deduce_kind,
    describe_stream_at,
    find_syntax_of_stream,
    says_lossless,
)


def recognise_syntax(
    stated: str,
    syntax: TransferSyntax | None,
    walked: WalkedDataSet,
    span: ElementSpan,
    oddities: list[Oddity],
) -> TransferSyntax | None:
    """Return the transfer syntax of Pixel Data, if it is sure.

    Args:
        stated: the UID in group 2; "" if there is none.
        syntax: its row; None if it is in no table.
        walked: the data set; streams without items are entered as its fragments.
        span: of Pixel Data.
        oddities: differences are added.
    """
    image = describe_image(walked.data_set, span)
    if span.undefined:
        if (missing := enter_missing_table(walked, span, image)) is not None:
            oddities.append(missing)
        seen = _find_syntax_of_fragments(syntax, walked, image)
    elif _enter_items(syntax, walked, span, oddities):
        # If the syntax is unknown, bytes between items are not a stream of any kind.
        return _find_syntax_of_fragments(syntax, walked, image) or syntax
    elif describe_bare_stream(walked, span, image) is not None:
        return as_fragments(syntax, walked, span, image, oddities)
    else:
        seen = _find_native_syntax(stated, syntax, walked.data_set, span, image)
    if seen is not None:
        oddities.append(_describe_difference(stated, syntax, seen, span))
    return seen


def find_syntax_without_pixels(
    stated: str, encoding: DataSetEncoding, oddities: list[Oddity]
) -> TransferSyntax:
    """Return the transfer syntax of a data set without pixels under an unknown UID.

    The data set was walked to its end, so its encoding is proven, and there is nothing else.

    Args:
        stated: the UID in group 2.
        encoding: of the data set.
        oddities: the finding is added.
    """
    seen = _find_syntax_of_encoding(encoding)
    text = f"the transfer syntax {stated} is unknown; the data set is {seen.name}"
    oddities.append(Oddity(OddityId.UNKNOWN_TRANSFER_SYNTAX, text))
    return seen


def _find_syntax_of_encoding(encoding: DataSetEncoding) -> TransferSyntax:
    if not encoding.explicit_vr:
        return IMPLICIT_LE
    return EXPLICIT_LE if encoding.little_endian else EXPLICIT_BE


def enter_missing_table(
    walked: WalkedDataSet, span: ElementSpan, image: ImagePixelDescription | None
) -> Oddity | None:
    """Enter an empty Basic Offset Table if the first item is a fragment of a frame.

    A stream's markers, an RLE header, a frame that inflates to its native size, or as many items of
    that size as there are frames are no accident: a table's first offset is 0, and it has 4 bytes a
    frame.

    Args:
        walked: the data set; the table is entered before its fragments.
        span: of Pixel Data.
        image: its description; None if it is incomplete.

    Returns:
        The oddity; None if the first item may be a table.
    """
    starts, lengths = walked.fragment_starts, walked.fragment_lengths
    if not starts or not lengths[0]:
        return None
    source = walked.data_set.source
    marked = begins_stream(source.read(starts[0], min(lengths[0], LONGEST_START)))
    if not marked and (image is None or not deduce_kind(source, starts, lengths, image)):
        return None
    starts.insert(0, span.value)
    lengths.insert(0, 0)
    text = "Pixel Data has no item of an offset table: the first item is a fragment of a frame"
    return Oddity(OddityId.NO_OFFSET_TABLE_ITEM, text, span.start)


def _enter_items(
    syntax: TransferSyntax | None,
    walked: WalkedDataSet,
    span: ElementSpan,
    oddities: list[Oddity],
) -> bool:
    """Enter the items that a value of defined length consists of as fragments, if it does.

    A Basic Offset Table that fits, a fragment, and nothing but items up to the end are no accident.
    If native samples are stated, there has to be a stream in the first fragment, too.
    """
    source, limits = walked.data_set.source, walked.data_set.limits
    end = span.value + span.length
    if source.read(end - len(_DELIMITER), len(_DELIMITER)) == _DELIMITER:
        end -= len(_DELIMITER)
    found = Walker(source, limits).walk_items(span.value, end, EXPLICIT_LITTLE)
    try:
        items = list(islice(found, limits.fragments + 1))
    except DicodecError:
        return False
    if len(items) < 2 or items[-1].end != end or any(item.undefined for item in items):
        return False
    table, *fragments = items
    if table.length % 4:
        return False
    native = syntax is None or syntax.native
    if native and describe_stream_at(source, fragments[0].value, fragments[0].length) is None:
        return False
    walked.fragment_starts.extend(item.value for item in items)
    walked.fragment_lengths.extend(item.length for item in items)
    text = f"Pixel Data has a defined length and holds {len(fragments)} fragment(s)"
    oddities.append(Oddity(OddityId.FRAGMENTS_OF_DEFINED_LENGTH, text, span.start))
    return True


_DELIMITER = encode_tag(SEQUENCE_DELIMITER, EXPLICIT_LITTLE) + bytes(4)


def describe_image(data_set: DataSet, span: ElementSpan) -> ImagePixelDescription | None:
    """Return the data set's description of its pixels; None if it is incomplete."""
    try:
        return parse_image_description(data_set, span.tag, [])
    except DicodecError:
        return None


def _describe_difference(
    stated: str, syntax: TransferSyntax | None, seen: TransferSyntax, span: ElementSpan
) -> Oddity:
    if not stated:
        return Oddity(
            OddityId.NO_TRANSFER_SYNTAX,
            f"no Transfer Syntax UID; Pixel Data is {seen.name}",
            span.start,
        )
    if syntax is None:
        return Oddity(
            OddityId.UNKNOWN_TRANSFER_SYNTAX,
            f"the transfer syntax {stated} is in no table; Pixel Data is {seen.name}",
            span.start,
        )
    if seen.encapsulated:
        return Oddity(
            OddityId.ENCAPSULATED_UNDER_NATIVE,
            f"Pixel Data is encapsulated, {seen.name}, but {syntax.name} is stated",
            span.start,
        )
    return Oddity(
        OddityId.NATIVE_UNDER_COMPRESSED,
        f"Pixel Data is native and as long as its frames, but {syntax.name} is stated",
        span.start,
    )


def _find_syntax_of_fragments(
    syntax: TransferSyntax | None, walked: WalkedDataSet, image: ImagePixelDescription | None
) -> TransferSyntax | None:
    starts, lengths = walked.fragment_starts[1:], walked.fragment_lengths[1:]
    source = walked.data_set.source
    if not starts:
        return None
    stream = describe_stream_at(source, starts[0], lengths[0])
    if stream is not None:
        return find_syntax_of_stream(stream, lossless=_says_lossless(syntax, walked.data_set))
    if image is None:
        return None
    return find_by_name(deduce_kind(source, starts, lengths, image))


def _says_lossless(syntax: TransferSyntax | None, data_set: DataSet) -> bool:
    return says_lossless(syntax, data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION))


def _find_native_syntax(
    stated: str,
    syntax: TransferSyntax | None,
    data_set: DataSet,
    span: ElementSpan,
    image: ImagePixelDescription | None,
) -> TransferSyntax | None:
    if image is None or not stated:
        return None
    size = image.native_size
    if span.length not in {size, size + size % 2}:
        return None
    if syntax is None and image.bits_allocated > 8 and not data_set.encoding.explicit_vr:
        return None  # GE's private syntax has implicit VR, and samples in the other byte order
    return _find_syntax_of_encoding(data_set.encoding)


def describe_bare_stream(
    walked: WalkedDataSet, span: ElementSpan, image: ImagePixelDescription | None
) -> StreamDescription | None:
    """Return the description of the stream that is the value of Pixel Data, without any item.

    None if there is none, or if the value can be native samples as well.
    """
    stream = describe_stream_at(walked.data_set.source, span.value, span.length)
    if stream is None or image is None:
        return stream
    size = image.native_size
    same = (stream.rows, stream.columns) == (image.rows, image.columns)
    return stream if same and span.length not in {size, size + size % 2} else None


def as_fragments(
    syntax: TransferSyntax | None,
    walked: WalkedDataSet,
    span: ElementSpan,
    image: ImagePixelDescription | None,
    oddities: list[Oddity],
) -> TransferSyntax | None:
    """Enter the streams that are the value of Pixel Data as fragments, one a frame.

    Raises:
        MalformedFileError: there are several frames, and they cannot be told apart surely.
    """
    stream = describe_bare_stream(walked, span, image)
    if stream is None:
        return None
    seen = find_syntax_of_stream(stream, lossless=_says_lossless(syntax, walked.data_set))
    if seen is None:
        return None
    frames = _find_pieces(walked, span, stream, 1 if image is None else image.number_of_frames)
    walked.fragment_starts.extend([span.value, *(start for start, _ in frames)])
    walked.fragment_lengths.extend([0, *(end - start for start, end in frames)])
    oddities.append(
        Oddity(
            OddityId.STREAM_WITHOUT_ITEMS,
            f"Pixel Data is a bare {stream.kind} stream, without items, of {len(frames)} frames",
            span.start,
        )
    )
    return seen


def _find_pieces(
    walked: WalkedDataSet, span: ElementSpan, stream: StreamDescription, frames: int
) -> list[tuple[int, int]]:
    """Return start and end of each frame's stream, in the source."""
    signature = STREAM_STARTS[stream.kind][0] if stream.kind in CHECK_WHOLE else None
    whole = [(span.value, span.value + span.length)]
    if signature is None or (frames == 1 and span.length > walked.data_set.limits.element_size):
        if frames == 1:
            return whole
        raise _make_untold_error(span, frames)
    if frames > 1 and span.length > walked.data_set.limits.element_size:
        raise _make_untold_error(span, frames)
    data = walked.data_set.source.read(span.value, span.length)
    begins = [0]
    at = data.find(signature, 1)
    while at >= 0:
        if data.endswith(PADDED_ENDS, 0, at):
            begins.append(at)
        at = data.find(signature, at + 1)
    if len(begins) == 1 and frames == 1:
        return whole
    pieces = list(zip(begins, [*begins[1:], len(data)], strict=True))
    if len(pieces) != frames or not all(_is_whole(data[a:b], stream) for a, b in pieces):
        raise _make_untold_error(span, frames)
    return [(span.value + a, span.value + b) for a, b in pieces]


def _is_whole(data: bytes, first: StreamDescription) -> bool:
    try:
        stream, view = CHECK_WHOLE[first.kind](data)
    except FrameError:
        return False
    same = (stream.kind, stream.rows, stream.columns) == (first.kind, first.rows, first.columns)
    return same and len(data) - len(view) <= 1


def _make_untold_error(span: ElementSpan, frames: int) -> MalformedFileError:
    return MalformedFileError(
        f"Pixel Data is bare streams without items, and cannot be told apart into {frames} frames",
        attribute="PixelData",
        offset=span.start,
    )
