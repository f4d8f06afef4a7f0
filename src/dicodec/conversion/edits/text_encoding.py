"""Re-encode all text of a result in UTF-8 (PS3.3 C.12.1.1.2), on request.

Text is re-encoded only if every byte of it is in its character set. If one is not, the error names
the element, and nothing is written.
"""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator

from dicodec.errors import (
    InvalidOptionError,
    LimitExceededError,
    MalformedFileError,
    TruncatedFileError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass, replace
from dicodec.part10.character_set import decode_surely, is_character_set
from dicodec.part10.data_set import DataSet
from dicodec.part10.edit_bytes import encode_element_header, encode_item_header
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import (
    PIXEL_DATA_TAGS,
    ItemSpan,
    KnownEnds,
    Walker,
    walk_elements,
    walk_items,
)
from dicodec.part10.encoding import DataSetEncoding, format_tag
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import ByteSource, BytesSource
from dicodec.part10.vr import SHORT_FORM_LIMIT, VALUE_REPRESENTATIONS
from dicodec.part10.writer import ElementWriter, make_reencoding_context
from dicodec.repair.character_sets import (
    TEXT,
    UTF_8,
    find_character_set,
    find_misdeclared_text,
    find_vrs,
    looks_like_text,
    may_be_text,
)

_STATED = SetAttribute(tags.SPECIFIC_CHARACTER_SET, "CS", UTF_8)
_LABELS = frozenset({tags.SPECIFIC_CHARACTER_SET})


def find_declared_character_set(charset: str) -> str | None:
    """Return the character set that the option declares for text; None for the file's own.

    Args:
        charset: "utf-8", or defined terms of Specific Character Set and ":utf-8".

    Raises:
        InvalidOptionError: there is no such character set.
    """
    declared, colon, target = charset.rpartition(":")
    if target.lower() != "utf-8":
        raise InvalidOptionError(
            f"text is re-encoded as utf-8, not {target!r}", hint="utf-8, or ISO_IR 100:utf-8"
        )
    if not colon:
        return None
    if not is_character_set(declared):
        raise InvalidOptionError(
            f"{declared!r} is not a defined term of Specific Character Set",
            hint="such as ISO_IR 100, ISO_IR 144, GB18030 or ISO 2022 IR 6\\ISO 2022 IR 87",
        )
    return declared


def make_utf_8_edits(
    data_set: DataSet,
    charset: str,
    edits: Iterable[Edit],
    encoding: DataSetEncoding,
    warnings: list[str],
    left_out: Container[int] = (),
) -> list[Edit]:
    """Return edits that have all text in UTF-8, those that were decided already among them.

    Text stated as UN gets the VR that the dictionaries have for it, and so does a sequence.

    Args:
        data_set: the source.
        charset: see `find_declared_character_set`.
        edits: changes made anyway; their text is in the source's character set.
        encoding: of the result.
        warnings: private elements that may hold text, and whose VR nobody knows, are named here.
        left_out: tags of elements that the result does not have.

    Raises:
        InvalidOptionError: there is no such character set.
        MalformedFileError: text is not of its character set; the element is named.
    """
    declared = find_declared_character_set(charset)
    if declared is None and find_misdeclared_text(data_set):
        declared = UTF_8
    stated = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
    unknown: list[str] = []
    to_utf_8 = _ToUtf8(declared or stated, declared, encoding, data_set.limits, unknown)
    changed = {edit.tag: to_utf_8.edit(edit) for edit in edits}
    for edit in to_utf_8.make_edits(data_set, {*changed, *_find_present(data_set, left_out)}):
        changed[edit.tag] = edit
    if stated != UTF_8:
        changed[tags.SPECIFIC_CHARACTER_SET] = _STATED
    if unknown:
        warnings.append(warn_of_unknown_text(unknown))
    return list(changed.values())


def warn_of_unknown_text(places: list[str]) -> str:
    """Return the warning that private elements may hold text that is not re-encoded.

    Args:
        places: their tags, by path.
    """
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return (
        f"{places[0]}{more} may hold text in the former character set, because the VR of private "
        "elements is not known; the bytes are kept"
    )


def _find_present(data_set: DataSet, tags_in_question: Container[int]) -> list[int]:
    return [span.tag for span in data_set.elements if span.tag in tags_in_question]


def find_text_tags(edits: Iterable[Edit]) -> set[int]:
    """Return the attributes of text that edits set, Specific Character Set among them."""
    return {
        edit.tag
        for edit in edits
        if isinstance(edit, SetAttribute)
        and (edit.vr in {*TEXT, "UN"} or edit.tag == tags.SPECIFIC_CHARACTER_SET)
    }


@dataclass(frozen=True, slots=True)
class _ToUtf8:
    """Re-encodes the elements of one data set, or of an item of it.

    Attributes:
        character_set: of its text.
        declared: that of all text, over the stated one; None for the stated one.
        encoding: of the elements of the result.
        limits: bounds on walking.
        unknown: takes the paths of private elements that may hold text.
        path: to the item, with a dot at its end.
        depth: how many items are around.
    """

    character_set: str
    declared: str | None
    encoding: DataSetEncoding
    limits: Limits
    unknown: list[str]
    path: str = ""
    depth: int = 0

    def make_edits(self, data_set: DataSet, left_out: Container[int]) -> Iterator[Edit]:
        """Yield the edits that have the text of one level, and below it, in UTF-8.

        Args:
            data_set: the level, in any encoding.
            left_out: tags of elements to leave as they are.

        Raises:
            LimitExceededError: sequences are nested too deep.
        """
        if self.depth > self.limits.nesting_depth:
            raise LimitExceededError("sequences are nested too deep")
        for span, vr in find_vrs(data_set):
            if span.tag in left_out or not span.length:
                continue
            if vr in TEXT:
                value = self.convert_value(data_set.read_value(span.tag) or b"", span.tag, vr)
                if value is not None:
                    yield self._set(span.tag, vr, value)
            elif vr == "SQ":
                items = self._convert_items(data_set, span)
                if items is not None:
                    yield SetSequence(span.tag, items)
            elif vr == "UN" and may_be_text(span):
                raw = data_set.read_value(span.tag) or b""
                if not raw.isascii() and looks_like_text(raw, self.character_set):
                    self.unknown.append(f"{self.path}{format_tag(span.tag)}")

    def _set(self, tag: int, vr: str, value: bytes) -> SetAttribute:
        """Return an edit of text; a value too long for its VR's length field becomes UN."""
        row = VALUE_REPRESENTATIONS[vr]
        if self.encoding.explicit_vr and not row.long_form and len(value) > SHORT_FORM_LIMIT:
            vr, value = "UN", value + row.padding * (len(value) % 2)  # PS3.5 6.2.2
        return SetAttribute(tag, vr, value)

    def _enter_item(self, tag: int, number: int) -> _ToUtf8:
        path = f"{self.path}{format_tag(tag)}[{number}]."
        return _ToUtf8(
            self.character_set, self.declared, self.encoding, self.limits, self.unknown, path,
            self.depth + 1,
        )  # fmt: skip

    def _convert_items(self, data_set: DataSet, span: ElementSpan) -> tuple[bytes, ...] | None:
        """Return the items of a sequence, whole, in the encoding of the result; None if they stay.

        Raises:
            MalformedFileError, TruncatedFileError: a sequence that is stated as such, or may hold
                text to re-encode, cannot be read.
        """
        found = self._find_sequence(data_set, span)
        if found is None:
            return None
        source, sequence, ends = found
        end = sequence.end if sequence.undefined else sequence.value + sequence.length
        walker = Walker(source, self.limits, ends, end)
        items: list[tuple[ItemSpan, bytes | None]] = []
        for number, item in enumerate(
            walker.walk_items(sequence.value, end, self.encoding, undefined=sequence.undefined)
        ):
            inner = self._enter_item(span.tag, number)
            items.append((item, inner.convert_level(source, item, walker, ends)))
        if all(new is None for _, new in items):
            return None
        return tuple(
            source.read(item.start, item.end - item.start) if new is None else new
            for item, new in items
        )

    def _find_sequence(
        self, data_set: DataSet, span: ElementSpan
    ) -> tuple[ByteSource, ElementSpan, KnownEnds] | None:
        """Return a sequence in memory, in the encoding of the result; None for UN that is not one.

        A sequence within one that was found here is in that encoding already, and stays at its
        place, because the ends of those within it are known there.
        """
        inner = data_set.find_encoding_of_items(span)
        if self.depth and inner == self.encoding:
            return data_set.source, span, data_set.ends
        if span.vr != "UN":
            raw = data_set.read_raw(span)
            return self._encode_sequence(raw, data_set.find_encoding(span), data_set)
        content = data_set.source.read(span.value, span.length)
        raw = encode_element_header(span.tag, "SQ", len(content), inner) + content
        try:
            return self._encode_sequence(raw, inner, data_set)
        except (MalformedFileError, TruncatedFileError):
            if content.isascii():
                return None
            raise  # text would stay as it is under the new label

    def _encode_sequence(
        self, raw: bytes, encoding: DataSetEncoding, data_set: DataSet
    ) -> tuple[ByteSource, ElementSpan, KnownEnds]:
        """Return a sequence element in the encoding of the result, all its items read once."""
        raw = reencode_elements(raw, encoding, self.encoding, make_reencoding_context(data_set))
        source = BytesSource(raw)
        ends: KnownEnds = {}
        (span,) = walk_elements(source, 0, len(raw), self.encoding, limits=self.limits, ends=ends)
        for _ in walk_items(source, span, self.encoding, limits=self.limits, ends=ends):
            pass
        return source, span, ends

    def convert_value(self, raw: bytes, tag: int, vr: str) -> bytes | None:
        """Return a value in UTF-8, unpadded; None if it is already."""
        try:
            text = decode_surely(raw, self.character_set, vr)
        except ValueError as cause:
            name = self.character_set or "the default repertoire"
            raise MalformedFileError(
                f"the text is not of the character set {name}",
                attribute=f"{self.path}{format_tag(tag)}",
                hint='`charset="FROM:utf-8"` names the right one',
            ) from cause
        new = text.encode()
        return None if new == raw else new.rstrip(b" ") if len(new) % 2 else new

    def edit(self, edit: Edit) -> Edit:
        """Return an edit whose text is in UTF-8; bytes of attributes are so already."""
        if isinstance(edit, SetSequence):
            items = tuple(
                self._enter_item(edit.tag, number).convert_item(one)
                if isinstance(one, bytes)
                else one
                for number, one in enumerate(edit.items)
            )
            return replace(edit, items=items)
        if isinstance(edit, SetAttribute) and edit.vr in TEXT and isinstance(edit.value, str):
            new = self.convert_value(edit.value.encode("latin-1"), edit.tag, edit.vr)
            return edit if new is None else replace(edit, value=new)
        return edit

    def convert_item(self, item: bytes) -> bytes:
        """Return a whole item with its text in UTF-8; the same bytes if it has none."""
        source = BytesSource(item)
        ends: KnownEnds = {}
        walker = Walker(source, self.limits, ends)
        (span,) = walker.walk_items(0, len(item), self.encoding)
        new = self.convert_level(source, span, walker, ends)
        return item if new is None else new

    def convert_level(
        self, source: ByteSource, item: ItemSpan, walker: Walker, ends: KnownEnds
    ) -> bytes | None:
        """Return an item, whole, with its text in UTF-8; None if it has none to change.

        Args:
            source: the bytes around the item, in the encoding of the result.
            item: its offsets.
            walker: of the source; has read up to the item.
            ends: of sequences of the source.
        """
        spans = list(
            walker.walk_elements(item.value, item.value + item.length, self.encoding, depth=1)
        )
        data_set = DataSet(source, self.encoding, spans, self.limits, ends)
        stated = find_character_set(data_set, self.character_set)
        character_set = self.declared or stated
        inner = (
            self
            if character_set == self.character_set
            else replace(self, character_set=character_set)
        )
        edits = [*inner.make_edits(data_set, _LABELS)]
        if data_set.find(tags.SPECIFIC_CHARACTER_SET) is not None and stated != UTF_8:
            edits.append(_STATED)
        if not edits:
            return None
        out = io.BytesIO()
        writer = ElementWriter(data_set, self.encoding, edits)
        writer.write_before_pixel_data(out)
        for span in spans:
            if span.tag in PIXEL_DATA_TAGS:
                out.write(data_set.read_raw(span))
        writer.write_after_pixel_data(out)
        new = out.getvalue()
        return encode_item_header(len(new), self.encoding) + new
