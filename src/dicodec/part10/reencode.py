"""Re-encode elements: with or without VRs, in either byte order (PS3.5 7.1, 7.3, 7.5).

For elements small enough to hold; Pixel Data and other huge values are streamed elsewhere.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from contextlib import suppress

from dicodec._kernels import COMPILED
from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.part10.elements import (
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    KnownEnds,
    Walker,
    find_encoding_of_explicit_items,
    items_state_vrs,
)
from dicodec.part10.encoding import (
    DELIMITER_GROUP,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.implicit_vr import (
    HEADERS,
    UN,
    ItemLevel,
    Level,
    Occurrences,
    ReencodingContext,
    VrHeader,
    find_header_by_level,
    find_header_by_tag,
)
from dicodec.part10.known_vrs import KNOWN, SETTLED, learn_vr, settle
from dicodec.part10.other_kinds import convert_value, is_of_another_kind
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import SHORT_FORM_LIMIT

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_CREATOR = 256
_FIRST_GROUP_OF_DATA_SETS = 0x0008
_SWAP_CODES = {2: "H", 4: "I", 8: "Q"}
_NO_RESERVED = b"\0\0"
_ITEM_TAG = b"\xfe\xff\x00\xe0"
_SEQUENCE = b"SQ"
_FRAGMENTED = frozenset({b"OB", b"OW"})
_MAY_HOLD_ITEMS = frozenset({b"UN", b"OB", b"OW"})


def reencode_elements(
    raw: bytes | bytearray | memoryview,
    source: DataSetEncoding,
    target: DataSetEncoding,
    context: ReencodingContext,
    *,
    offset: int = 0,
) -> bytes:
    """Return one whole element, or several of one level, in another encoding.

    Order is kept, and so are odd lengths and unreadable values. Sequences and items of defined
    length keep one, corrected; those of undefined length keep that.

    - Without VR to with VR: by dictionary, private dictionary and context; UN if unknown, and
      if a value is too long for its VR's 16-bit length (PS3.5 6.2.2). An unknown element of
      undefined length becomes UN of undefined length, whose content stays implicit VR little
      endian (6.2.2 note 2). An element that only the dictionary calls a sequence becomes UN, noted.
    - Byte order changes by the VR's unit; OB, UN and text have none (7.3).
    - Group Lengths (gggg,0000), retired outside of group 2, are dropped if VRs come or go, because
      they would be wrong; if only the byte order changes they are carried over.
    - Items of encapsulated Pixel Data keep their bytes; outside of explicit VR little endian, which
      A.4 does not allow, they are noted.

    Args:
        raw: the elements' bytes, from the first tag to the last value or delimiter.
        source: their encoding.
        target: the encoding of the result.
        context: facts of the data set's top level.
        offset: of `raw` in the file, for messages.

    Raises:
        MalformedFileError: some bytes are not an element, for example one without VR among elements
            that have one.
        TruncatedFileError: an element or a sequence ends too early.
        LimitExceededError: sequences are nested too deep.
    """
    if source == target:
        return bytes(raw)
    buffer = bytes(raw)
    parts: list[bytes] = []
    reencoder = _Reencoder(buffer, source, target, context, offset, {})
    stopped = reencoder.append_elements(0, len(buffer), context, parts, 0)
    if stopped != len(buffer):
        raise MalformedFileError("an item's delimiter outside of an item", offset=offset + stopped)
    return b"".join(parts)


def swap_bytes(value: bytes, unit: int) -> bytes:
    """Return a value in the other byte order; bytes that do not fill a unit stay as they are."""
    if len(value) == unit:
        return value[::-1]
    if unit == 1:
        return value
    whole = len(value) - len(value) % unit
    if unit not in _SWAP_CODES:
        swapped = bytearray(value)
        for place in range(unit):
            swapped[place:whole:unit] = value[unit - 1 - place : whole : unit]
        return bytes(swapped)
    numbers = array(_SWAP_CODES[unit], value[:whole])
    numbers.byteswap()
    return numbers.tobytes() + value[whole:]


def _make_structs(order: str) -> tuple[Callable[..., Any], ...]:
    reading = (struct.Struct(order + form).unpack_from for form in ("HH2sH", "HHI", "I"))
    writing = (struct.Struct(order + form).pack for form in ("HHI", "HH2sH", "HH2s2sI"))
    return (*reading, *writing)


_STRUCTS = {True: _make_structs("<"), False: _make_structs(">")}


class _Reencoder:
    __slots__ = (
        "_buffer", "_context", "_ends", "_kernel", "_occurrences", "_offset", "_pack_implicit",
        "_pack_long", "_pack_short", "_read_explicit", "_read_implicit", "_read_length", "_source",
        "_target", "_walker",
    )  # fmt: skip

    def __init__(
        self,
        buffer: bytes,
        source: DataSetEncoding,
        target: DataSetEncoding,
        context: ReencodingContext,
        offset: int,
        ends: KnownEnds,
    ) -> None:
        self._buffer = buffer
        self._ends = ends
        self._source = source
        self._target = target
        self._context = context
        self._offset = offset
        self._occurrences: Occurrences | None = None
        self._walker: Walker | None = None
        reading, writing = _STRUCTS[source.little_endian][:3], _STRUCTS[target.little_endian][3:]
        self._read_explicit, self._read_implicit, self._read_length = reading
        self._pack_implicit, self._pack_short, self._pack_long = writing
        self._kernel: Callable[..., tuple[bytes, int]] | None = None
        if COMPILED is not None and source == EXPLICIT_LITTLE and target == IMPLICIT_LITTLE:
            self._kernel = COMPILED.drop_vrs
        elif COMPILED is not None and source == IMPLICIT_LITTLE and target == EXPLICIT_LITTLE:
            self._kernel = COMPILED.add_vrs

    def append_elements(
        self, position: int, end: int, level: Level, out: list[bytes], depth: int
    ) -> int:
        """Append the elements up to `end` or an Item Delimitation Item; return the offset after."""
        buffer = self._buffer
        read_explicit, read_implicit = self._read_explicit, self._read_implicit
        pack_implicit = self._pack_implicit
        explicit = self._source.explicit_vr
        to_explicit = self._target.explicit_vr
        drops_group_lengths = explicit != to_explicit
        loses_vrs = explicit and not to_explicit
        swaps = self._source.little_endian != self._target.little_endian
        if depth > self._context.limits.nesting_depth:
            raise LimitExceededError(
                "sequences are nested too deep", offset=self._offset + position
            )
        kernel = self._kernel
        blocks: dict[int, dict[int, int]] = {}
        known_vrs = (SETTLED,) if explicit else (KNOWN, blocks)
        levels_left = self._context.limits.nesting_depth - depth
        while position < end:
            if kernel is not None:  # as below, up to an element that needs a second look
                content, position = kernel(buffer, position, end, levels_left, *known_vrs)
                out.append(content)
                if position == end:
                    break
            if end - position < 8:
                raise self._make_truncated_error(position, "the data set ends inside an element")
            if explicit:
                group, number, letters, length = read_explicit(buffer, position)
            else:
                group, number, length = read_implicit(buffer, position)
            tag = group << 16 | number
            if group == DELIMITER_GROUP:
                if tag == ITEM_DELIMITER:
                    return position
                self._skip_stray(tag, position)
                position += 8
                continue
            reserved = _NO_RESERVED
            value = position + 8
            if explicit:
                known = HEADERS.get(letters)
                if known is None:
                    raise self._make_vr_error(letters, tag, position)
                header = known
                if header.long_form:
                    if end - position < 12:
                        raise self._make_truncated_error(
                            position, "the data set ends inside an element"
                        )
                    reserved = buffer[position + 6 : value]
                    (length,) = self._read_length(buffer, value)
                    value += 4
            else:
                found = find_header_by_tag(tag)
                if found is None:
                    first = buffer[value : min(value + length, value + _LONGEST_CREATOR)]
                    found = find_header_by_level(tag, first, level)
                header = found
                if kernel is not None:
                    learn_vr(tag, header, level, blocks)
            if length == UNDEFINED_LENGTH:
                position = self._append_undefined(
                    tag, header, reserved, position, end, level, out, depth
                )
                continue
            after = value + length
            if after > end:
                raise self._make_truncated_error(
                    position,
                    f"element has length {length}, but only {end - value} bytes remain",
                    tag,
                )
            if number == 0 and drops_group_lengths and group >= _FIRST_GROUP_OF_DATA_SETS:
                position = after
                continue
            if header.name == _SEQUENCE:
                header, content = self._reencode_defined_sequence(
                    tag, header, value, after, level, depth
                )
            else:
                content = buffer[value:after]
                if header.name in _MAY_HOLD_ITEMS and not to_explicit:
                    content = self._drop_vrs(tag, content, value, level, depth)
                if length > SHORT_FORM_LIMIT and not explicit and not header.long_form:
                    header = UN
                unit = header.swap_unit
                if kernel is not None and explicit:
                    settle(tag, header)
                if loses_vrs and (known := find_header_by_tag(tag)) is not header:
                    made = self._convert_to_known_vr(tag, header, known, content, value, level)
                    if made is not None:
                        content, unit = made, 1
                if swaps and unit > 1:
                    content = swap_bytes(content, unit)
            if to_explicit:
                out.append(self._pack_header(tag, header, reserved, len(content)))
            else:  # as _pack_header does; without that call a header takes a tenth less
                out.append(pack_implicit(group, number, len(content)))
            out.append(content)
            position = after
        return position

    def _pack_header(self, tag: int, header: VrHeader, reserved: bytes, length: int) -> bytes:
        packed: bytes
        if not self._target.explicit_vr:
            packed = self._pack_implicit(tag >> 16, tag & 0xFFFF, length)
        elif header.long_form:
            packed = self._pack_long(tag >> 16, tag & 0xFFFF, header.name, reserved, length)
        else:
            packed = self._pack_short(tag >> 16, tag & 0xFFFF, header.name, length)
        return packed

    def _convert_to_known_vr(
        self,
        tag: int,
        stated: VrHeader,
        known: VrHeader | None,
        content: bytes,
        value: int,
        level: Level,
    ) -> bytes | None:
        """Return a value as one of the VR that readers take it for, if that is of another kind.

        None if the bytes can stay: they are of the same kind, nobody knows the VR, or the value
        cannot be converted, which is noted.
        """
        if tag & 0x10000 or not content:
            return None
        known = known or find_header_by_level(tag, content, level)
        names = stated.name.decode(), known.name.decode()
        if not is_of_another_kind(*names):
            return None
        text = f"{format_tag(tag)} is stated as {names[0]}, and the dictionary has {names[1]}"
        try:
            made = convert_value(content, *names, self._source, self._target)
        except MalformedFileError as error:
            self._note(OddityId.UNCONVERTED_VALUE, f"{text}: {error.message}", value)
            return None
        self._note(OddityId.VALUE_OF_ANOTHER_KIND, text, value)
        return made

    def _drop_vrs(self, tag: int, content: bytes, value: int, level: Level, depth: int) -> bytes:
        """Return a value without VRs in it, if it holds items although its VR is not SQ.

        If VRs are not stated, readers know a sequence by its tag, and read implicit VR in it (PS3.5
        6.2.2, A.1).
        """
        header = find_header_by_tag(tag)
        if header is None or header.name != _SEQUENCE or not content:
            return content
        encoding = find_encoding_of_explicit_items(content)
        if encoding is None and content.startswith(_ITEM_TAG):
            return content
        noted = len(self._context.oddities)
        if encoding is not None:
            if not encoding.little_endian:
                text = f"{format_tag(tag)} is UN and holds items in big endian"
                self._note(OddityId.OTHER_BYTE_ORDER, text, value)
            with suppress(MalformedFileError, TruncatedFileError):
                end = value + len(content)
                return self._reencode_explicit_items(value, end, encoding, level, depth)
        del self._context.oddities[noted:]
        self._note(
            OddityId.SEQUENCE_KEPT_AS_UN, f"{format_tag(tag)} cannot be read as items", value
        )
        return content

    def _reencode_explicit_items(
        self,
        value: int,
        end: int,
        encoding: DataSetEncoding,
        level: Level,
        depth: int,
        *,
        undefined: bool = False,
    ) -> bytes:
        """Return the items at an offset, which state VRs although they stand in implicit VR."""
        inner = _Reencoder(
            self._buffer, encoding, self._target, self._context, self._offset, self._ends
        )
        parts: list[bytes] = []
        inner._append_items(value, end, level, parts, depth, undefined=undefined)
        return b"".join(parts)

    def _reencode_defined_sequence(
        self, tag: int, header: VrHeader, value: int, end: int, level: Level, depth: int
    ) -> tuple[VrHeader, bytes]:
        oddities = self._context.oddities
        noted = len(oddities)
        out: list[bytes] = []
        try:
            self._append_items(value, end, level, out, depth, undefined=False)
        except (MalformedFileError, TruncatedFileError):
            if self._source.explicit_vr:
                raise
            del oddities[noted:]
            content = self._buffer[value:end]
            with suppress(MalformedFileError, TruncatedFileError):
                if items_state_vrs(content):
                    return header, self._reencode_explicit_items(
                        value, end, EXPLICIT_LITTLE, level, depth
                    )
            del oddities[noted:]
            self._note(
                OddityId.SEQUENCE_KEPT_AS_UN,
                f"{format_tag(tag)} should be a sequence but is not",
                value,
            )
            return UN, content
        return header, b"".join(out)

    def _append_undefined(
        self,
        tag: int,
        header: VrHeader,
        reserved: bytes,
        position: int,
        end: int,
        level: Level,
        out: list[bytes],
        depth: int,
    ) -> int:
        """Append an element of undefined length; return the offset of its end."""
        value = position + (12 if self._source.explicit_vr else 8)
        if header.name == _SEQUENCE:
            out.append(self._pack_header(tag, header, reserved, UNDEFINED_LENGTH))
            return self._append_items(value, end, level, out, depth, undefined=True)
        if tag == tags.PIXEL_DATA and not self._source.explicit_vr:
            header = HEADERS[b"OB"]
        if tag == tags.PIXEL_DATA and header.name in _FRAGMENTED:
            if self._target != EXPLICIT_LITTLE:
                self._note(
                    OddityId.ENCAPSULATED_OUTSIDE_EXPLICIT_LE,
                    f"{format_tag(tag)} is encapsulated in a data set of {self._target}",
                    position,
                )
            out.append(self._pack_header(tag, header, reserved, UNDEFINED_LENGTH))
            return self._append_fragments(value, end, out)
        if self._source.explicit_vr and header.name != UN.name:
            raise MalformedFileError(
                f"an element of VR {header.name.decode()} has an undefined length",
                offset=self._offset + position,
                attribute=format_tag(tag),
            )
        # PS3.5 6.2.2: the content is a sequence in implicit VR little endian, and stays one.
        if self._walker is None:
            self._walker = Walker(BytesSource(self._buffer), self._context.limits, self._ends)
        try:
            span = next(
                self._walker.walk_elements(position, end, self._source, depth=max(depth, 1))
            )
        except (MalformedFileError, TruncatedFileError, LimitExceededError) as error:
            error.with_offset(self._offset + (error.offset or 0))
            raise
        content = self._buffer[value : span.end]
        if items_state_vrs(content) and not self._target.explicit_vr:
            content = self._reencode_explicit_items(
                value, span.end, EXPLICIT_LITTLE, level, depth, undefined=True
            )
        out.append(self._pack_header(tag, UN, reserved, UNDEFINED_LENGTH))
        out.append(content)
        return span.end

    def _append_items(
        self,
        position: int,
        end: int,
        level: Level,
        out: list[bytes],
        depth: int,
        *,
        undefined: bool,
    ) -> int:
        """Append the items of a sequence and its delimiter; return the offset of its end."""
        if self._occurrences is None:
            self._occurrences = Occurrences(
                self._buffer, self._source, self._context.limits, self._ends
            )
        occurrences = self._occurrences
        while position < end:
            tag, length = self._read_item_header(position, end)
            value = position + 8
            if tag == SEQUENCE_DELIMITER and (undefined or value == end):
                out.append(self._pack_implicit(tag >> 16, tag & 0xFFFF, length))
                return value
            if tag != ITEM:
                raise MalformedFileError(
                    f"expected an item of a sequence, found {format_tag(tag)}",
                    offset=self._offset + position,
                )
            item_end = end if length == UNDEFINED_LENGTH else value + length
            if item_end > end:
                raise self._make_truncated_error(
                    position, f"an item has length {length}, but only {end - value} bytes remain"
                )
            parts: list[bytes] = []
            item = ItemLevel(occurrences, value, item_end, level)
            stopped = self.append_elements(value, item_end, item, parts, depth + 1)
            delimiter = b""
            if stopped < item_end:
                delimiter_length = self._read_item_header(stopped, item_end)[1]
                delimiter = self._pack_implicit(
                    ITEM_DELIMITER >> 16, ITEM_DELIMITER & 0xFFFF, delimiter_length
                )
                stopped += 8
            if length == UNDEFINED_LENGTH and not delimiter:
                raise self._make_truncated_error(stopped, "an item has no delimiter")
            if length != UNDEFINED_LENGTH:
                if stopped != item_end:
                    raise MalformedFileError(
                        "an item's delimiter before its end", offset=self._offset + stopped
                    )
                length = sum(map(len, parts)) + len(delimiter)
            out.append(self._pack_implicit(ITEM >> 16, ITEM & 0xFFFF, length))
            out += parts
            out.append(delimiter)
            position = stopped
        if undefined:
            raise self._make_truncated_error(position, "a sequence has no delimiter")
        return position

    def _append_fragments(self, position: int, end: int, out: list[bytes]) -> int:
        """Append the fragments of encapsulated Pixel Data as they are; return the offset after."""
        while position < end:
            tag, length = self._read_item_header(position, end)
            value = position + 8
            if tag == SEQUENCE_DELIMITER:
                out.append(self._pack_implicit(tag >> 16, tag & 0xFFFF, length))
                return value
            if tag != ITEM or length == UNDEFINED_LENGTH or value + length > end:
                raise MalformedFileError(
                    f"expected a fragment of Pixel Data, found {format_tag(tag)}",
                    offset=self._offset + position,
                )
            out.append(self._pack_implicit(tag >> 16, tag & 0xFFFF, length))
            out.append(self._buffer[value : value + length])
            position = value + length
        raise self._make_truncated_error(position, "encapsulated Pixel Data has no delimiter")

    def _read_item_header(self, position: int, end: int) -> tuple[int, int]:
        if end - position < 8:
            raise self._make_truncated_error(position, "the data set ends inside a sequence")
        group, number, length = self._read_implicit(self._buffer, position)
        return group << 16 | number, length

    def _make_vr_error(self, letters: bytes, tag: int, position: int) -> MalformedFileError:
        return MalformedFileError(
            f"an element has {letters!r} in place of a VR, which the others state",
            offset=self._offset + position,
            attribute=format_tag(tag),
        )

    def _skip_stray(self, tag: int, position: int) -> None:
        if tag != SEQUENCE_DELIMITER:
            raise MalformedFileError(
                f"{format_tag(tag)} outside of a sequence", offset=self._offset + position
            )
        self._note(
            OddityId.STRAY_DELIMITER, "a Sequence Delimitation Item outside a sequence", position
        )

    def _make_truncated_error(
        self, position: int, text: str, tag: int | None = None
    ) -> TruncatedFileError:
        return TruncatedFileError(
            text,
            offset=self._offset + position,
            attribute=None if tag is None else format_tag(tag),
        )

    def _note(self, oddity: OddityId, text: str, position: int) -> None:
        self._context.oddities.append(Oddity(oddity, text, self._offset + position))
