"""Walk data elements as spans: the offsets of each, without reading values that nobody needs.

PS3.5 7.1 (element structure), 7.5 (sequences). Only headers are read; values of defined length are
jumped over, and a sequence is entered only if its undefined length leaves no other way.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence

from dicodec._kernels import COMPILED
from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import DEFAULT_LIMITS, Limits, make_limit_hint
from dicodec.model.records import NamedTuple
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import RECORD_SIZE, ElementSpan, PackedSpans, pack_span
from dicodec.part10.encoding import (
    DELIMITER_GROUP,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.source import ByteSource, read_chunks
from dicodec.part10.vr import LONG_FORM, SHORT_FORM, states_vr

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # few files need it, and the command starts without it
    from dicodec.part10.frame_table import TabledFrames

ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD
PIXEL_DATA_TAGS = frozenset({tags.PIXEL_DATA, tags.FLOAT_PIXEL_DATA, tags.DOUBLE_FLOAT_PIXEL_DATA})
"""Pixel Data, Float Pixel Data, Double Float Pixel Data."""

_FILE_META_GROUP = 0x0002
_SEQUENCES = frozenset({"SQ", "UN", ""})
"""VRs that may have an undefined length (PS3.5 7.1.1), Pixel Data apart; "" if none is stated."""

_GROUP_LENGTH_SIZE = 4
_RETIRED_GROUPS = frozenset({0x1000, 0x1010})
_WINDOW = 1 << 16
_SHORT = 1 << 10
_HEADERS = 64
_ZEROS = bytes(8)
_FEW_ITEMS = 4
"""Items that Python follows, because the first ones are mostly in the window already."""


class _Structs(NamedTuple):
    """Structs that unpack headers in one byte order."""

    explicit: struct.Struct  # tag, VR, short length
    implicit: struct.Struct  # tag, length
    length: struct.Struct


_STRUCTS = {
    order: _Structs(*(struct.Struct(order + fields) for fields in ("HH2sH", "HHI", "I")))
    for order in "<>"
}
_FORMS = {
    **{letters: (letters.decode(), False) for letters in SHORT_FORM},
    **{letters: (letters.decode(), True) for letters in LONG_FORM},
}
"""By the bytes of a VR: its name, and whether its length takes 32 bits."""


class ItemSpan(NamedTuple):
    """The offsets of one item of a sequence, or one fragment; fields as in ElementSpan."""

    start: int
    value: int
    length: int
    end: int
    undefined: bool


type KnownEnds = dict[tuple[int, str, DataSetEncoding], int]
"""Offsets of the delimiters of sequences of undefined length, by offset of the value, VR and
encoding of the items. Because the end of each takes a walk over all that is in it, walkers of inner
levels would walk to the ends of the innermost once for each level around them."""

_MOST_KNOWN_ENDS = 1 << 16
"""Those of 1 MB of nothing but such sequences; each takes about 250 bytes of memory."""


class Walker:
    """Walks elements and items of a source; keeps a window of bytes and the oddities.

    Args:
        source: the bytes.
        limits: bounds on depth and count.
        ends: of sequences that other walkers of the same source, or of the same level or one around
            it, have found; those found here are added.
        until: offset of the end of all that is walked, so that no more is read; None for the
            source's.

    Attributes:
        oddities: departures from the standard that were read all the same.
        items_end: offset at which the items last walked end, before a delimiter.
        fragment_starts, fragment_lengths: the values of the items of encapsulated Pixel Data, the
            Basic Offset Table's first, once that element was walked.
        missing: bytes of Pixel Data that its last fragment, or its length field, claims but that
            the file does not have.
        table: frames that an offset table finds, see TableWalker; None if all items were walked.
        first_fragments: how many of the fragments are the first frame's, if there is a table.
        doubtful: offset of the first element whose header makes more sense in another form than
            in the one it was read in; None if there was none.
    """

    def __init__(
        self,
        source: ByteSource,
        limits: Limits = DEFAULT_LIMITS,
        ends: KnownEnds | None = None,
        until: int | None = None,
    ) -> None:
        self.oddities: list[Oddity] = []
        self._source = source
        self._limits = limits
        self._ends = ends
        self._until = source.size if until is None else until
        self._window = b""
        self._base = 0
        self.items_end = 0
        self.missing = 0
        self.table: TabledFrames | None = None
        self.first_fragments = 0
        self.doubtful: int | None = None
        self.fragment_starts = array("Q")
        self.fragment_lengths = array("Q")

    def walk_elements(
        self, start: int, end: int, encoding: DataSetEncoding, *, depth: int = 0
    ) -> Iterator[ElementSpan]:
        """Yield the elements from `start` until `end` or until an Item Delimitation Item.

        Raises: see `list_elements`.
        """
        for run in self._walk_runs(start, end, encoding, depth):
            yield from run if isinstance(run, tuple) else PackedSpans(run)

    def list_elements(
        self, start: int, end: int, encoding: DataSetEncoding, *, depth: int = 0
    ) -> Sequence[ElementSpan]:
        """Return the elements from `start` until `end` or until an Item Delimitation Item.

        Args:
            start: offset of the first element in the source.
            end: offset at which they end at the latest.
            encoding: of their headers.
            depth: sequences around them; 0 for the top level.

        Raises:
            TruncatedFileError: an element ends behind `end`. Pixel Data at the top level is the
                exception: its span is cut, so that the frame at fault can be named.
            MalformedFileError: the bytes are not an element.
            LimitExceededError: too many elements, or nested too deep.
        """
        runs = [*self._walk_runs(start, end, encoding, depth)]
        packed = [run if isinstance(run, bytes) else pack_span(run[0]) for run in runs]
        if COMPILED is not None and None not in packed:
            return PackedSpans(b"".join(filter(None, packed)))
        elements: list[ElementSpan] = []
        for run in runs:
            elements += run if isinstance(run, tuple) else PackedSpans(run)
        return elements

    def _walk_runs(
        self, start: int, end: int, encoding: DataSetEncoding, depth: int
    ) -> Iterator[tuple[ElementSpan] | bytes]:
        """Yield elements: one as it is, or the records of as many as the kernel reads at once."""
        if depth > self._limits.nesting_depth:
            raise LimitExceededError("sequences are nested too deep", offset=start)
        structs = _STRUCTS[encoding.order]
        unpack_explicit = structs.explicit.unpack_from
        unpack_implicit = structs.implicit.unpack_from
        explicit = encoding.explicit_vr
        pack = None if COMPILED is None or not encoding.little_endian else COMPILED.pack_elements
        most = self._limits.elements
        position = start
        count = 0
        last: ElementSpan | bytes = b""
        while position < end:
            window = self._window  # nested elements and items have moved it
            index = position - self._base
            if index < 0 or index + 12 > len(window):
                index = self._fill(position)
                window = self._window
            if pack is not None:  # as below, for elements that need no second look
                records, after = pack(window, index, position, end, explicit, most - count)
                if records:
                    yield records
                    count += len(records) // RECORD_SIZE
                    last, position = records, after
                    continue
            if end - position < 8 or len(window) - index < 8:
                if depth == 0 and self._is_only_zeros(position, end):
                    return
                raise TruncatedFileError("the data set ends inside an element", offset=position)
            if explicit:
                group, number, letters, length = unpack_explicit(window, index)
            else:
                group, number, length = unpack_implicit(window, index)
            tag = group << 16 | number
            count += 1
            if count > most:
                raise LimitExceededError(
                    "the data set has too many elements",
                    offset=position,
                    hint=make_limit_hint("elements=NUMBER"),
                )
            if group == DELIMITER_GROUP:
                if tag == ITEM_DELIMITER and depth:
                    return
                if tag == SEQUENCE_DELIMITER and last and _may_be_short(last, position):
                    raise MalformedFileError("a sequence is longer than it says", offset=position)
                self._skip_delimiter(tag, position)
                position += 8
                continue
            if not tag and window[index : index + 8] == _ZEROS:
                if depth == 0 and self._is_only_zeros(position, end):
                    return
                raise MalformedFileError("expected an element, found zeros", offset=position)
            vr = ""
            value = position + 8
            if explicit:
                vr, long_form = _FORMS.get(letters) or _guess_form(letters, tag, position)
                if long_form:
                    if len(window) - index < 12:
                        raise TruncatedFileError(
                            "the data set ends inside an element", offset=position
                        )
                    (length,) = structs.length.unpack_from(window, index + 8)
                    value += 4
                elif not vr:
                    (length,) = structs.length.unpack_from(window, index + 4)
                    self._note_implicit_island(tag, length, value, end, position)
                if not group & 0xFF and reads_better_swapped(tag, vr):
                    self._doubt(position)
            if length == UNDEFINED_LENGTH:
                content_end, after = self._find_undefined_end(tag, vr, value, end, encoding, depth)
                span = ElementSpan(tag, vr, position, value, content_end - value, after, True)
            else:
                after = value + length
                if after > end:
                    self._cut_pixel_data(tag, position, value, length, end, depth)
                    after = end
                # As ElementSpan(...), in less than half the time.
                fields = (tag, vr, position, value, after - value, after, False)
                span = tuple.__new__(ElementSpan, fields)
            yield (span,)
            last, position = span, span.end

    def walk_items(
        self,
        start: int,
        end: int,
        encoding: DataSetEncoding,
        *,
        depth: int = 0,
        undefined: bool = False,
    ) -> Iterator[ItemSpan]:
        """Yield the items of a sequence whose content is at `start`.

        A sequence of undefined length ends with its delimiter; `items_end` is then its offset.

        Args:
            start: offset of the first item's tag.
            end: offset at which the sequence ends, or at the latest.
            encoding: of the items' headers.
            depth: sequences around this one.
            undefined: whether its length is undefined.

        Raises:
            MalformedFileError: other bytes stand in place of an item.
            TruncatedFileError: an item ends behind `end`, or the delimiter is missing.
        """
        position = start
        self.items_end = start
        while position < end:
            tag, length = self._read_item_header(position, encoding)
            if tag == SEQUENCE_DELIMITER and undefined:
                self.items_end = position
                return
            if tag != ITEM:
                raise MalformedFileError(
                    f"expected an item of a sequence, found {format_tag(tag)}", offset=position
                )
            value = position + 8
            if length == UNDEFINED_LENGTH:
                content_end = self._find_element_end(value, end, encoding, depth)
                item = ItemSpan(position, value, content_end - value, content_end + 8, True)
            else:
                if value + length > end:
                    raise TruncatedFileError(
                        f"an item has length {length}, but only {end - value} bytes remain",
                        offset=position,
                    )
                item = ItemSpan(position, value, length, value + length, False)
            yield item
            position = item.end
        if undefined:
            raise TruncatedFileError("a sequence has no delimiter", offset=position)
        self.items_end = position

    def _find_element_end(self, start: int, end: int, encoding: DataSetEncoding, depth: int) -> int:
        """Return the offset of the Item Delimitation Item of an item of undefined length."""
        position = start
        for span in self.walk_elements(start, end, encoding, depth=depth + 1):
            position = span.end
        tag, _ = self._read_item_header(position, encoding)
        if tag != ITEM_DELIMITER:
            raise TruncatedFileError("an item has no delimiter", offset=position)
        return position

    def _find_undefined_end(
        self, tag: int, vr: str, value: int, end: int, encoding: DataSetEncoding, depth: int
    ) -> tuple[int, int]:
        """Return the ends of the content of an element of undefined length, and of the element."""
        if encoding.explicit_vr and vr in {"UN", ""}:
            # PS3.5 6.2.2 note 4: UN of undefined length holds implicit VR little endian.
            encoding = IMPLICIT_LITTLE if vr else encoding._replace(explicit_vr=False)
        if tag == tags.PIXEL_DATA and depth == 0:
            return self._find_fragments_end(value, end, encoding)
        key = value, vr, encoding
        if self._ends is not None and (known := self._ends.get(key, end)) < end:
            return known, known + 8
        if vr not in _SEQUENCES and tag != tags.PIXEL_DATA:
            raise MalformedFileError(
                f"an element of VR {vr} has an undefined length",
                offset=value,
                attribute=format_tag(tag),
            )
        if vr == "UN" and self._is_explicit_inside(value):
            self._note(
                OddityId.EXPLICIT_IN_UN, f"{format_tag(tag)} is UN and holds explicit VRs", value
            )
            encoding = EXPLICIT_LITTLE
        # That the items of a known sequence hold elements need not be proved.
        doubtful = tag != tags.PIXEL_DATA and (vr == "UN" or (vr == "" and find_vr(tag) != "SQ"))
        for item in self.walk_items(value, end, encoding, depth=depth, undefined=True):
            if doubtful and not item.undefined:
                self._check_elements(item, encoding, depth)
        if self._ends is not None and len(self._ends) < _MOST_KNOWN_ENDS:
            self._ends[key] = self.items_end
        return self.items_end, self.items_end + 8

    def _cut_pixel_data(
        self, tag: int, position: int, value: int, length: int, end: int, depth: int
    ) -> None:
        """Note that Pixel Data goes on behind the end of all bytes, where its span is cut.

        Raises:
            TruncatedFileError: it is another element, or nested.
        """
        if depth or tag not in PIXEL_DATA_TAGS:
            raise TruncatedFileError(
                f"element {format_tag(tag)} has length {length}, but only {end - value} bytes "
                "remain",
                offset=position,
                attribute=format_tag(tag),
            )
        self._note(OddityId.PIXEL_DATA_TRUNCATED, "Pixel Data is cut short", position)
        self.missing = value + length - end

    def _check_elements(self, item: ItemSpan, encoding: DataSetEncoding, depth: int) -> None:
        """Raise an error if an item holds something else than elements, such as a fragment."""
        for _ in self.walk_elements(item.value, item.end, encoding, depth=depth + 1):
            pass

    def _find_fragments_end(
        self, value: int, end: int, encoding: DataSetEncoding
    ) -> tuple[int, int]:
        """Jump over the fragments of Pixel Data; a missing delimiter or a cut one is noted."""
        position = value
        last_length = _WINDOW
        starts, lengths = self.fragment_starts, self.fragment_lengths
        while position < end:
            if len(starts) >= _FEW_ITEMS and encoding.little_endian:
                from dicodec.part10.fragment_walk import follow_items  # most files have one frame

                most = self._limits.fragments - len(starts)
                position = follow_items(self._source, position, end, most, starts, lengths)
            if end - position < 8:
                break
            tag, length = self._read_item_header(position, encoding, far=last_length >= _WINDOW)
            if tag == SEQUENCE_DELIMITER:
                return position, position + 8
            if tag != ITEM or length == UNDEFINED_LENGTH:
                if not self._is_short(position, end, encoding):
                    raise MalformedFileError(
                        f"expected a fragment of Pixel Data, found {format_tag(tag)}",
                        offset=position,
                    )
                lengths[-1] += 1
                position += 1
                continue
            last_length = length
            position += 8
            starts.append(position)
            lengths.append(min(length, end - position))
            if len(starts) > self._limits.fragments:
                raise LimitExceededError("Pixel Data has too many fragments", offset=position)
            position += length
        self.missing = max(position - end, 0)
        if self.missing:
            self._note(OddityId.PIXEL_DATA_TRUNCATED, "the last fragment is cut short", end)
        else:
            self._note(OddityId.NO_DELIMITER, "Pixel Data ends without its delimiter", position)
        return min(position, end), end  # a part of the delimiter does not count

    def _is_short(self, position: int, end: int, encoding: DataSetEncoding) -> bool:
        """Return whether the fragment before is a byte longer than stated, by the next item."""
        header = self._source.read(position + 1, 8)
        if len(self.fragment_starts) < 2 or position + 9 > end or len(header) < 8:
            return False
        group, number, length = _STRUCTS[encoding.order].implicit.unpack(header)
        tag = group << 16 | number
        follows = tag == ITEM and position + 9 + length <= end
        if not follows and (tag != SEQUENCE_DELIMITER or length):
            return False
        if all(one.id != OddityId.SHORT_FRAGMENT for one in self.oddities):
            text = "a fragment has a byte more than it says"
            self._note(OddityId.SHORT_FRAGMENT, text, position)
        return True

    def _is_explicit_inside(self, value: int) -> bool:
        """Whether the first element of the first item states a VR."""
        return items_state_vrs(self._source.read(value, 16))

    def _read_item_header(
        self, position: int, encoding: DataSetEncoding, *, far: bool = False
    ) -> tuple[int, int]:
        index = position - self._base
        window = self._window
        if index < 0 or index + 8 > len(window):
            if far:  # the next header is another jump away: a window would be read in vain
                window, index = self._source.read(position, 8), 0
            else:
                index = self._fill(position)
                window = self._window
        if len(window) - index < 8:
            raise TruncatedFileError("the data set ends inside a sequence", offset=position)
        group, number, length = _STRUCTS[encoding.order].implicit.unpack_from(window, index)
        return group << 16 | number, length

    def _fill(self, position: int) -> int:
        # Windows end at multiples of their size: the first one is what sources keep of their head.
        size = _WINDOW - position % _WINDOW
        size = size if size > _SHORT else size + _WINDOW
        left = self._until - position
        if left < size:  # headers may pass the end
            size = left if left > _HEADERS else _HEADERS
        self._window = self._source.read(position, size)
        self._base = position
        return 0

    def _skip_delimiter(self, tag: int, position: int) -> None:
        if tag not in {ITEM_DELIMITER, SEQUENCE_DELIMITER}:
            raise MalformedFileError(f"{format_tag(tag)} outside of a sequence", offset=position)
        self._note(OddityId.STRAY_DELIMITER, "a delimiter outside of a sequence", position)

    def _is_only_zeros(self, position: int, end: int) -> bool:
        """Whether nothing but zeros follows, as in files that fill the blocks of a medium."""
        chunks = read_chunks(self._source, position, end)
        if any(chunk.count(0) < len(chunk) for chunk in chunks):
            return False
        self._note(OddityId.TRAILING_ZEROS, "zero bytes after the last element", position)
        return True

    def _note_implicit_island(
        self, tag: int, length: int, value: int, end: int, position: int
    ) -> None:
        if length != UNDEFINED_LENGTH and value + length > end:
            raise MalformedFileError(
                f"element {format_tag(tag)} has no value representation", offset=position
            )
        if not is_possible(tag) or (tag & 0xFFFF == 0 and length != _GROUP_LENGTH_SIZE):
            self._doubt(position)
        self._note(
            OddityId.IMPLICIT_ELEMENT,
            f"{format_tag(tag)} has no VR among elements that have",
            position,
        )

    def _doubt(self, position: int) -> None:
        if self.doubtful is None:
            self.doubtful = position

    def _note(self, oddity: OddityId, text: str, offset: int) -> None:
        self.oddities.append(Oddity(oddity, text, offset))


def items_state_vrs(items: bytes) -> bool:
    """Whether the first element of the first item states a VR, in little endian."""
    return items[:4] == b"\xfe\xff\x00\xe0" and states_vr(items[8:14])


def find_encoding_of_explicit_items(items: bytes) -> DataSetEncoding | None:
    """Return the encoding of items whose first element states a VR; None if they do not begin so.

    It may be big endian although UN holds little endian everywhere (PS3.5 6.2.2): nothing but items
    begins with an item's tag, in either byte order, and an element that states a VR.
    """
    if items_state_vrs(items):
        return EXPLICIT_LITTLE
    stray = items.startswith(b"\xff\xfe\xe0\0") and states_vr(items[8:14])
    return EXPLICIT_BIG if stray else None


def is_possible(tag: int) -> bool:
    """Whether a tag can be an element's: in the dictionary, or private."""
    return bool(tag & 0x10000) or find_vr(tag) is not None


def reads_better_swapped(tag: int, vr: str) -> bool:
    """Whether a tag with its VR makes more sense in the other byte order.

    Nearly all groups are below 0100, and read in the other byte order end in 00.
    """
    swapped = (tag & 0xFF00FF) << 8 | (tag & 0xFF00FF00) >> 8
    return _rate_tag(swapped, vr) > _rate_tag(tag, vr)


def _rate_tag(tag: int, vr: str) -> int:
    """Return 2 for a tag of the dictionary with its VR, 1 for another possible one, else 0."""
    known = find_vr(tag)
    if known is not None and vr in known.split(" or "):
        return 2
    # (1000,xxxX) and (1010,xxxx), long retired, are tags of patients if swapped.
    return int(is_possible(tag) and tag >> 16 not in _RETIRED_GROUPS)


def _may_be_short(last: ElementSpan | bytes, position: int) -> bool:
    """Return whether a delimiter at an offset may be inside an element of defined length."""
    span = PackedSpans(last)[-1] if isinstance(last, bytes) else last
    return span.end == position and not span.undefined and span.vr in _SEQUENCES


def _guess_form(letters: bytes, tag: int, position: int) -> tuple[str, bool]:
    """Return the form of an element whose VR is unknown, as in _FORMS: a length without VR.

    Raises:
        MalformedFileError: they look like a VR. Its length field and the kind of its value cannot
            be known here; only File Meta Information is carried over all the same, with the long
            length field of VRs of later editions (PS3.5 6.2).
    """
    if letters.isascii() and letters.decode().isprintable():
        if tag >> 16 == _FILE_META_GROUP:
            return letters.decode(), True
        raise MalformedFileError(
            f"an element states {letters.decode()!r}, which is not a VR", offset=position
        )
    return "", False


def walk_elements(
    source: ByteSource,
    start: int,
    end: int,
    encoding: DataSetEncoding,
    *,
    depth: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    ends: KnownEnds | None = None,
) -> Iterator[ElementSpan]:
    """Yield the elements of one level; see `Walker.walk_elements`."""
    return Walker(source, limits, ends).walk_elements(start, end, encoding, depth=depth)


def walk_items(
    source: ByteSource,
    span: ElementSpan,
    encoding: DataSetEncoding,
    *,
    depth: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    ends: KnownEnds | None = None,
) -> Iterator[ItemSpan]:
    """Yield the items of the sequence at `span`; see `Walker.walk_items`."""
    end = span.end if span.undefined else span.value + span.length
    return Walker(source, limits, ends, end).walk_items(
        span.value, end, encoding, depth=depth, undefined=span.undefined
    )
