"""Text in another character set than Specific Character Set says (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

from collections.abc import Container, Iterator

from dicodec.errors import LimitExceededError
from dicodec.model import tags
from dicodec.model.findings import Oddity
from dicodec.part10.character_set import decode_surely
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.elements import PIXEL_DATA_TAGS, ElementSpan, Walker, walk_items
from dicodec.part10.encoding import format_tag

UTF_8 = "ISO_IR 192"
TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Value representations whose characters Specific Character Set tells (PS3.5 6.1.2.3)."""


def find_misdeclared_text(data_set: DataSet) -> list[Oddity]:
    """Return an oddity if text is not in the stated character set, and all of it is UTF-8.

    Only an illegal byte counts: UTF-8 read as Latin-1 is nonsense, but legal.
    """
    stated = data_set.text(tags.SPECIFIC_CHARACTER_SET)
    first: ElementSpan | None = None
    for span, raw, vr, character_set in _texts(data_set, stated):
        if not _is_text(raw, UTF_8, vr):
            return []
        if first is None and not _is_text(raw, character_set, vr):
            first = span
    if first is None:
        return []
    name = f"of {stated}" if stated else "of the default repertoire, and no other is stated"
    text = f"the text of {format_tag(first.tag)} is not {name}; all text is UTF-8"
    return [Oddity("misdeclared-character-set", text, first.start)]


def find_unreadable_text(
    data_set: DataSet, character_set: str, left_out: Container[int]
) -> list[int]:
    """Return the tags of top level elements with text that is not in a character set.

    Args:
        data_set: as it is read.
        character_set: the value of Specific Character Set to check.
        left_out: tags of elements that will not be there, or not as they are.
    """
    found: dict[int, None] = {}
    for span, raw, vr, stated in _texts(data_set, character_set):
        if span.tag not in left_out and not _is_text(raw, stated, vr):
            found[span.tag] = None
    return [*found]


def _is_text(raw: bytes, character_set: str, vr: str) -> bool:
    try:
        decode_surely(raw, character_set, vr)
    except ValueError:
        return False
    return True


def _texts(
    data_set: DataSet, character_set: str, depth: int = 0
) -> Iterator[tuple[ElementSpan, bytes, str, str]]:
    """Yield text beyond ASCII, in sequences too: span, value, VR and character set.

    Raises:
        LimitExceededError: sequences are nested deeper than the limit.
    """
    if depth > data_set.limits.nesting_depth:
        raise LimitExceededError("sequences are nested too deep")
    walker = Walker(data_set.source, data_set.limits)
    for span in data_set.elements:
        vr = known_vr(data_set, span)
        if vr in TEXT and span.length:
            raw = data_set.value(span.tag) or b""
            if not raw.isascii() or b"\x1b" in raw:
                yield span, raw, vr, character_set
        elif vr == "SQ" and span.length:
            encoding = data_set.find_encoding(span)
            for item in walk_items(data_set.source, span, encoding, limits=data_set.limits):
                end = item.value + item.length
                spans = list(walker.elements(item.value, end, encoding, depth=1))
                inner = DataSet(data_set.source, encoding, spans, data_set.limits)
                yield from _texts(inner, character_set_of(inner, character_set), depth + 1)


def character_set_of(data_set: DataSet, around: str) -> str:
    """Return the character set of an item; its default is that of the data set around it."""
    span = data_set.find(tags.SPECIFIC_CHARACTER_SET)
    return around if span is None else data_set.text(tags.SPECIFIC_CHARACTER_SET)


def known_vr(data_set: DataSet, span: ElementSpan) -> str:
    """Return the VR that an element states, or has by the dictionary; "UN" if it is unknown."""
    if span.tag in PIXEL_DATA_TAGS:
        return "OW"
    if span.vr or data_set.find_encoding(span).explicit_vr:
        return span.vr
    return find_vr(span.tag) or "UN"
