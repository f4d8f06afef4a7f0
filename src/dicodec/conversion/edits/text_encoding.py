"""Having all text of a result in UTF-8 (PS3.3 C.12.1.1.2), on request.

Text is re-encoded only if every byte of it is in its character set. If one is not, the error names
the element, and nothing is written.
"""

from __future__ import annotations

import io
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from dicodec.conversion.edits.nested_pixels import encode_native_items
from dicodec.errors import InvalidOptionError, MalformedFileError
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute, SetSequence
from dicodec.model.limits import Limits
from dicodec.part10.character_set import decode_surely, is_character_set
from dicodec.part10.data_set import DataSet
from dicodec.part10.edit_bytes import encode_item_header
from dicodec.part10.elements import PIXEL_DATA_TAGS, Walker
from dicodec.part10.encoding import DataSetEncoding, format_tag
from dicodec.part10.source import BytesSource
from dicodec.part10.writer import ElementWriter
from dicodec.repair.character_sets import (
    TEXT,
    UTF_8,
    character_set_of,
    find_misdeclared_text,
    known_vr,
)


def declared_character_set(charset: str) -> str | None:
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


def utf_8_edits(
    data_set: DataSet,
    charset: str,
    edits: Iterable[Edit],
    encoding: DataSetEncoding,
    left_out: Container[int] = (),
) -> list[Edit]:
    """Return edits that have all text in UTF-8, those that were decided already among them.

    Args:
        data_set: the source.
        charset: see `declared_character_set`.
        edits: changes made anyway; their text is in the source's character set.
        encoding: of the result.
        left_out: tags of elements that the result does not have.

    Raises:
        InvalidOptionError: there is no such character set.
        MalformedFileError: text is not of its character set; the element is named.
    """
    declared = declared_character_set(charset)
    if declared is None and find_misdeclared_text(data_set):
        declared = UTF_8
    stated = data_set.text(tags.SPECIFIC_CHARACTER_SET)
    to_utf_8 = _ToUtf8(declared or stated, declared, encoding, data_set.limits)
    changed = {edit.tag: to_utf_8.edit(edit) for edit in edits}
    for span in data_set.elements:
        vr = known_vr(data_set, span)
        if span.tag in changed or span.tag in left_out or not span.length:
            continue
        if vr in TEXT:
            value = to_utf_8.value(data_set.value(span.tag) or b"", span.tag, vr)
            if value is not None:
                changed[span.tag] = SetAttribute(span.tag, vr, value)
        elif vr == "SQ":
            raw, source = data_set.raw(span), data_set.find_encoding(span)
            items = encode_native_items(raw, source, encoding, data_set)
            new = tuple(map(to_utf_8.item, items))
            if new != items:
                changed[span.tag] = SetSequence(span.tag, new)
    if stated != UTF_8:
        changed[tags.SPECIFIC_CHARACTER_SET] = _STATED
    return list(changed.values())


def text_tags(edits: Iterable[Edit]) -> set[int]:
    """Return the attributes of text that edits set, Specific Character Set among them."""
    return {
        edit.tag
        for edit in edits
        if isinstance(edit, SetAttribute)
        and (edit.vr in TEXT or edit.tag == tags.SPECIFIC_CHARACTER_SET)
    }


_STATED = SetAttribute(tags.SPECIFIC_CHARACTER_SET, "CS", UTF_8)


@dataclass(frozen=True, slots=True)
class _ToUtf8:
    """Re-encodes the elements of one data set, or of an item of it.

    Attributes:
        character_set: of its text.
        declared: that of all text, over the stated one; None for the stated one.
        encoding: of the elements.
        limits: bounds on walking.
    """

    character_set: str
    declared: str | None
    encoding: DataSetEncoding
    limits: Limits

    def value(self, raw: bytes, tag: int, vr: str) -> bytes | None:
        """Return a value in UTF-8, unpadded; None if it is already."""
        try:
            text = decode_surely(raw, self.character_set, vr)
        except ValueError as cause:
            name = self.character_set or "the default repertoire"
            raise MalformedFileError(
                f"the text is not of the character set {name}",
                attribute=format_tag(tag),
                hint='`charset="FROM:utf-8"` names the right one',
            ) from cause
        new = text.encode()
        return None if new == raw else new.rstrip(b" ") if len(new) % 2 else new

    def edit(self, edit: Edit) -> Edit:
        """Return an edit whose text is in UTF-8; bytes of attributes are so already."""
        if isinstance(edit, SetSequence):
            items = (self.item(one) if isinstance(one, bytes) else one for one in edit.items)
            return replace(edit, items=tuple(items))
        if isinstance(edit, SetAttribute) and edit.vr in TEXT and isinstance(edit.value, str):
            new = self.value(edit.value.encode("latin-1"), edit.tag, edit.vr)
            return edit if new is None else replace(edit, value=new)
        return edit

    def item(self, item: bytes) -> bytes:
        """Return a whole item with its text in UTF-8; the same bytes if it has none."""
        walker = Walker(BytesSource(item), self.limits)
        (span,) = walker.items(0, len(item), self.encoding)
        content = item[span.value : span.value + span.length]
        new = self._content(content)
        if new == content:
            return item
        return encode_item_header(len(new), self.encoding) + new

    def _content(self, content: bytes) -> bytes:
        source = BytesSource(content)
        walker = Walker(source, self.limits)
        spans = list(walker.elements(0, len(content), self.encoding, depth=1))
        data_set = DataSet(source, self.encoding, spans, self.limits)
        stated = character_set_of(data_set, self.character_set)
        inner = replace(self, character_set=self.declared or stated)
        edits: list[Edit] = []
        for span in spans:
            vr = known_vr(data_set, span)
            if vr in TEXT and span.length:
                value = inner.value(data_set.value(span.tag) or b"", span.tag, vr)
                if value is not None:
                    edits.append(SetAttribute(span.tag, vr, value))
            elif vr == "SQ" and span.length:
                items = encode_native_items(
                    data_set.raw(span), self.encoding, self.encoding, data_set
                )
                new = tuple(map(inner.item, items))
                if new != items:
                    edits.append(SetSequence(span.tag, new))
            elif span.tag == tags.SPECIFIC_CHARACTER_SET and stated != UTF_8:
                edits.append(_STATED)
        if not edits:
            return content
        out = io.BytesIO()
        writer = ElementWriter(data_set, self.encoding, edits)
        writer.write_before_pixel_data(out)
        for span in spans:
            if span.tag in PIXEL_DATA_TAGS:
                out.write(data_set.raw(span))
        writer.write_after_pixel_data(out)
        return out.getvalue()
