"""Pixel Data that is not stored as its transfer syntax says: native, or in fragments."""

from __future__ import annotations

from itertools import islice
from struct import iter_unpack

from dicodec.codecs.streams import rle
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TransferSyntax,
    find_by_name,
)
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import SEQUENCE_DELIMITER, Walker
from dicodec.part10.encoding import EXPLICIT_BIG, EXPLICIT_LITTLE, DataSetEncoding, encode_tag
from dicodec.part10.fragments import LONGEST_START, begins_stream
from dicodec.part10.frames import has_no_bytes
from dicodec.part10.image_attributes import describe_image
from dicodec.repair.bare_streams import enter_bare_streams
from dicodec.repair.deflated_frames import DeflatedFrame
from dicodec.repair.native_items import find_native_parts, show_stream
from dicodec.repair.stream_kinds import (
    deduce_kind,
    deduce_kinds,
    describe_stream_at,
    find_syntax_of_stream,
    is_rle_header,
    says_lossless,
)

_LONGEST_TABLE = 1 << 16
"""Bytes of a first item that are looked at, to tell a table of offsets from a fragment."""

_BYTE = 8


def recognize_syntax(
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
    image = describe_image(walked.data_set, span.tag)
    if span.undefined:
        seen = _find_syntax_of_samples(syntax, walked, image)
        empty = not any(walked.fragment_lengths) and has_no_bytes(walked, span)
        if empty and syntax is not None and syntax.native:
            seen = syntax
        if seen is None:
            if (missing := enter_missing_table(walked, span, image)) is not None:
                oddities.append(missing)
            seen = _find_syntax_of_fragments(syntax, walked, image)
        if seen is None and syntax is None and _tells_order(image, walked.data_set):
            parts = find_native_parts(walked, image)
            seen = None if parts is None else find_syntax_of_encoding(walked.data_set.encoding)
    elif (items := recognize_items(syntax, walked, span, image, oddities)) is not None:
        return items
    elif (bare := enter_bare_streams(syntax, walked, span, image, oddities)) is not None:
        return bare
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
    seen = find_syntax_of_encoding(encoding)
    text = f"the transfer syntax {stated} is unknown; the data set is {seen.name}"
    oddities.append(Oddity(OddityId.UNKNOWN_TRANSFER_SYNTAX, text))
    return seen


def find_syntax_of_encoding(encoding: DataSetEncoding) -> TransferSyntax:
    """Return the native transfer syntax that a data set's encoding is that of."""
    if not encoding.explicit_vr:
        return IMPLICIT_LE
    return EXPLICIT_LE if encoding.little_endian else EXPLICIT_BE


def enter_missing_table(
    walked: WalkedDataSet, span: ElementSpan, image: ImagePixelDescription | None
) -> Oddity | None:
    """Enter an empty Basic Offset Table if the first item is a fragment of a frame.

    A stream's markers, an RLE header, a frame that inflates to its native size, or items of that
    size are no accident: a table's first offset is 0, and it has 4 bytes a frame. An item that
    cannot be such a table is a damaged frame unless the others are all frames already: otherwise a
    frame would be lost, and all others would move up.

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
    if not marked and (image is None or not _is_frame(walked, image)):
        return None
    starts.insert(0, span.value)
    lengths.insert(0, 0)
    text = "Pixel Data has no item of an offset table: the first item is a fragment of a frame"
    return Oddity(OddityId.NO_OFFSET_TABLE_ITEM, text, span.start)


def _is_frame(walked: WalkedDataSet, image: ImagePixelDescription) -> bool:
    """Whether a first item without a stream's markers is a frame, or the rest of one."""
    data_set, starts, lengths = walked.data_set, walked.fragment_starts, walked.fragment_lengths
    if deduce_kinds(data_set.source, starts, lengths, image):
        return True
    sizes, number = _list_native_sizes(image), image.number_of_frames
    if _may_be_table(walked, number):
        return set(lengths) <= sizes and not _points_at_items(walked)
    return (
        lengths[0] in sizes
        or show_stream(data_set, image, zip(starts, lengths, strict=True))
        or _count_other_frames(walked, image) != number
    )


def _may_be_table(walked: WalkedDataSet, number_of_frames: int) -> bool:
    """Whether the first item can be a Basic Offset Table, right or wrong (PS3.5 A.4).

    Some writers state offsets of 64 bits.
    """
    length, others = walked.fragment_lengths[0], len(walked.fragment_lengths) - 1
    filled = sum(1 for one in walked.fragment_lengths[1:] if one)
    entries = (others, others + 1, filled, number_of_frames)
    if length in {size * count for size in (4, 8) for count in entries}:
        return True
    offsets = _read_table(walked)
    ascending = offsets[:1] == [0] and offsets == sorted(set(offsets))
    return length % 4 == 0 and (ascending or _points_at_items(walked))


def _points_at_items(walked: WalkedDataSet) -> bool:
    """Whether the first item has offsets of other items, in whatever order, as a table has."""
    starts, offsets = walked.fragment_starts, _read_table(walked)
    places = {one - starts[1] for one in starts[1:]}
    return 0 in offsets and len({*offsets}) == len(offsets) and places.issuperset(offsets)


def _read_table(walked: WalkedDataSet) -> list[int]:
    """Return the numbers that the first item would have if it were a Basic Offset Table."""
    length = min(walked.fragment_lengths[0], _LONGEST_TABLE)
    table = walked.data_set.source.read(walked.fragment_starts[0], length)
    return [one for (one,) in iter_unpack("<I", table[: length // 4 * 4])]


def _count_other_frames(walked: WalkedDataSet, image: ImagePixelDescription) -> int:
    """Return how many frames there are behind the first item.

    Those that begin as streams do; or those that fragments make up together, native or deflated;
    or else as many as fragments, but no more than are stated, because a frame may span several.
    """
    source, size = walked.data_set.source, image.native_frame_size
    others = list(zip(walked.fragment_starts, walked.fragment_lengths, strict=True))[1:]
    begun = sum(
        begins_stream(head) or is_rle_header(head, length, image)
        for head, length in (
            (source.read(at, min(length, rle.HEADER_SIZE)), length) for at, length in others
        )
    )
    if begun:  # more than are stated only if each fragment is one
        each = begun == sum(1 for _, length in others if length)
        return begun if each else min(begun, image.number_of_frames)
    if {length for _, length in others} <= _list_native_sizes(image):
        return len(others)
    total = sum(length for _, length in others)
    if total and size and total % size == 0:
        return total // size
    whole, frame = 0, DeflatedFrame(size)
    for at, length in others:
        if not frame.takes(source.read(at, length)):
            break
        if frame.ended:
            whole, frame = whole + 1, DeflatedFrame(size)
    return whole or min(len(others), image.number_of_frames)


def _list_native_sizes(image: ImagePixelDescription) -> set[int]:
    """Return the lengths that a native frame may have in an item, a pad byte counted or not."""
    size = image.native_frame_size
    return {size, size + size % 2}


def recognize_items(
    syntax: TransferSyntax | None,
    walked: WalkedDataSet,
    span: ElementSpan,
    image: ImagePixelDescription | None,
    oddities: list[Oddity],
) -> TransferSyntax | None:
    """Return the transfer syntax of the items that a value of defined length consists of.

    They are entered as fragments if they are fragments. If none are stated, their syntax has
    to be seen in them, too.
    """
    if not enter_items(walked, span):
        return None
    # If the syntax is unknown, bytes between items are not a stream of any kind.
    seen = (
        _find_syntax_of_samples(syntax, walked, image)
        or _find_syntax_of_fragments(syntax, walked, image)
        or (syntax if syntax is not None and syntax.encapsulated else None)
    )
    if seen is None:
        del walked.fragment_starts[:], walked.fragment_lengths[:]
        return None
    fragments = len(walked.fragment_starts) - 1
    text = f"Pixel Data has a defined length and holds {fragments} fragment(s)"
    oddities.append(Oddity(OddityId.FRAGMENTS_OF_DEFINED_LENGTH, text, span.start))
    return seen


def enter_items(walked: WalkedDataSet, span: ElementSpan) -> bool:
    """Enter the items that a value of defined length consists of as fragments, if it does.

    A Basic Offset Table that fits, a fragment, and nothing but items up to the end are no accident.
    """
    source, limits = walked.data_set.source, walked.data_set.limits
    for order in (EXPLICIT_LITTLE, EXPLICIT_BIG):
        end, delimiter = span.value + span.length, encode_tag(SEQUENCE_DELIMITER, order) + bytes(4)
        if source.read(end - len(delimiter), len(delimiter)) == delimiter:
            end -= len(delimiter)
        found = Walker(source, limits).walk_items(span.value, end, order)
        try:
            items = list(islice(found, limits.fragments + 1))
        except DicodecError:
            continue
        whole = len(items) > 1 and items[-1].end == end
        if whole and items[0].length % 4 == 0 and not any(item.undefined for item in items):
            walked.fragment_starts.extend(item.value for item in items)
            walked.fragment_lengths.extend(item.length for item in items)
            return True
    return False


def _find_syntax_of_samples(
    syntax: TransferSyntax | None, walked: WalkedDataSet, image: ImagePixelDescription | None
) -> TransferSyntax | None:
    """Return the native transfer syntax of items under it that hold samples."""
    if syntax is None or not syntax.native or find_native_parts(walked, image) is None:
        return None
    encoding = walked.data_set.encoding
    return syntax if DataSetEncoding.of(syntax) == encoding else find_syntax_of_encoding(encoding)


def _tells_order(image: ImagePixelDescription | None, data_set: DataSet) -> bool:
    """Whether the byte order of native samples is sure under an unknown UID.

    GE's private syntax has implicit VR, and samples in the other byte order.
    """
    return image is not None and (image.bits_allocated <= _BYTE or data_set.encoding.explicit_vr)


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
    if seen.native and syntax.native:
        return Oddity(
            OddityId.ENCAPSULATED_UNDER_NATIVE,
            f"native samples are in items, but {syntax.name} is stated",
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
    if syntax is None and not _tells_order(image, data_set):
        return None
    return find_syntax_of_encoding(data_set.encoding)
