"""Elements of a result: their offsets in the source, or the bytes that replace them."""

from __future__ import annotations

from dicodec.model.records import NamedTuple
from dicodec.part10.edit_bytes import encode_element_header, encode_item_header
from dicodec.part10.elements import ITEM_DELIMITER, SEQUENCE_DELIMITER
from dicodec.part10.encoding import UNDEFINED_LENGTH, DataSetEncoding, encode_tag
from dicodec.part10.spliced_source import Piece, measure_piece
from dicodec.repair.element_headers import ElementHeader
from dicodec.repair.level_facts import TreeLevel

DELIMITER_LENGTH = 8


class Place(NamedTuple):
    """The level that elements belong to.

    Attributes:
        encoding: that they should be in.
        target: the encoding that they shall be in.
        level: attributes of the elements before them.
        depth: of sequences around them.
    """

    encoding: DataSetEncoding
    target: DataSetEncoding
    level: TreeLevel
    depth: int = 0


class Entry(NamedTuple):
    """One element as the result has it.

    Attributes:
        tag: 0xggggeeee.
        vr: as it is stated there; "" if none is.
        start, end: offsets of the element in the source.
        pieces: its bytes if they were rewritten; None if they are right.
        header, trailer: bytes before and after the value in `pieces`.
        undefined: whether `pieces` states an undefined length.
    """

    tag: int
    vr: str
    start: int
    end: int
    pieces: list[Piece] | None
    header: int = 0
    trailer: int = 0
    undefined: bool = False


def make_leaf_entry(
    header: ElementHeader, vr: str, value: list[Piece], target: DataSetEncoding
) -> Entry:
    """Return an element that is not a sequence, rewritten."""
    head = encode_element_header(header.tag, vr, measure_pieces(value), target)
    stated = vr if target.explicit_vr else ""
    return Entry(header.tag, stated, header.start, header.end, [head, *value], len(head))


def make_sequence_entry(
    header: ElementHeader,
    vr: str,
    content: list[Piece],
    end: int,
    target: DataSetEncoding,
    *,
    undefined: bool,
) -> Entry:
    """Return a sequence, or encapsulated Pixel Data, written anew.

    Args:
        header: as it was read.
        vr: the VR it gets, if VRs are stated.
        content: its items, without a delimiter.
        end: offset of the element's end in the source.
        target: the encoding of the result.
        undefined: whether it gets an undefined length and a delimiter.
    """
    size = UNDEFINED_LENGTH if undefined else measure_pieces(content)
    head = encode_element_header(header.tag, vr, size, target)
    tail = [_make_delimiter(SEQUENCE_DELIMITER, target)] if undefined else []
    return Entry(
        header.tag,
        vr if target.explicit_vr else "",
        header.start,
        end,
        [head, *content, *tail],
        len(head),
        DELIMITER_LENGTH * len(tail),
        undefined,
    )


def make_item_pieces(
    content: list[Piece], target: DataSetEncoding, *, undefined: bool
) -> list[Piece]:
    """Return a whole item, with a delimiter if it gets an undefined length."""
    size = UNDEFINED_LENGTH if undefined else measure_pieces(content)
    head = encode_item_header(size, target)
    tail = [_make_delimiter(ITEM_DELIMITER, target)] if undefined else []
    return [head, *content, *tail]


def measure_pieces(pieces: list[Piece]) -> int:
    """Return the bytes of all pieces."""
    return sum(map(measure_piece, pieces))


def _make_delimiter(tag: int, encoding: DataSetEncoding) -> bytes:
    return encode_tag(tag, encoding) + bytes(4)
