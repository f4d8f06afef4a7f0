"""Text in another character set than Specific Character Set says (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

from collections.abc import Container, Iterator

from dicodec.errors import LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import dataclass, field
from dicodec.part10.character_set import decode_surely
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_private_vr, find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.encoding import format_tag

UTF_8 = "ISO_IR 192"
TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Value representations whose characters Specific Character Set tells (PS3.5 6.1.2.3)."""

_UNKNOWN = "UN"
_LONGEST_UNKNOWN_TEXT = 1 << 16
"""Bytes of a private value of VR UN that may be text."""

_CONTROLS_OF_TEXT = frozenset(b"\t\n\f\r\x1b")


def find_misdeclared_text(data_set: DataSet) -> list[Oddity]:
    """Return an oddity if text is not in the stated character set, and all of it is UTF-8.

    Only an illegal byte counts: UTF-8 read as Latin-1 is nonsense, but legal.
    """
    stated = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
    first: ElementSpan | None = None
    for span, raw, vr, own in _find_texts(data_set):
        if vr == _UNKNOWN:
            continue
        if not _is_text(raw, UTF_8, vr):
            return []
        if first is None and not _is_text(raw, stated if own is None else own, vr):
            first = span
    if first is None:
        return []
    name = f"of {stated}" if stated else "of the default repertoire, and no other is stated"
    text = f"the text of {format_tag(first.tag)} is not {name}; all text is UTF-8"
    return [Oddity(OddityId.MISDECLARED_CHARACTER_SET, text, first.start)]


@dataclass(slots=True)
class TextUnderCharacterSet:
    """The text of a data set that another Specific Character Set would be wrong for.

    Attributes:
        unreadable: tags of top level elements with bytes that it does not have.
        changed: tags of top level elements that would read otherwise.
        unknown: tags of private elements that may hold text; nobody knows their VR.
    """

    unreadable: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)


def judge_character_set(
    data_set: DataSet, character_set: str, left_out: Container[int]
) -> TextUnderCharacterSet:
    """Return the text that would be lost or changed under another character set.

    Args:
        data_set: as it is read.
        character_set: the new value of Specific Character Set.
        left_out: tags of elements that will not be there, or not as they are.
    """
    found = TextUnderCharacterSet()
    stated = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
    for span, raw, vr, own in _find_texts(data_set):
        if span.tag in left_out or own is not None or stated == character_set:
            continue
        if vr == _UNKNOWN:
            if looks_like_text(raw, stated):
                found.unknown.append(span.tag)
        elif not _is_text(raw, character_set, vr):
            found.unreadable.append(span.tag)
        elif _is_text(raw, stated, vr) and decode_surely(raw, stated, vr) != decode_surely(
            raw, character_set, vr
        ):
            found.changed.append(span.tag)
    return found


def _is_text(raw: bytes, character_set: str, vr: str) -> bool:
    try:
        decode_surely(raw, character_set, vr)
    except ValueError:
        return False
    return True


def _find_texts(
    data_set: DataSet, own: str | None = None, depth: int = 0
) -> Iterator[tuple[ElementSpan, bytes, str, str | None]]:
    """Yield text beyond ASCII, in sequences too: top level span, value, VR and character set.

    The VR is "UN" for a private element that nobody knows. The character set is None if it is that
    of the top level, which no item around the text replaces.

    Raises:
        LimitExceededError: sequences are nested deeper than the limit.
    """
    if depth > data_set.limits.nesting_depth:
        raise LimitExceededError("sequences are nested too deep")
    for span, vr in find_vrs(data_set):
        if vr == "SQ":
            for inner in _read_items(data_set, span):
                stated = inner.find(tags.SPECIFIC_CHARACTER_SET) is not None
                inner_set = inner.read_text(tags.SPECIFIC_CHARACTER_SET) if stated else own
                for _, raw, inner_vr, text_set in _find_texts(inner, inner_set, depth + 1):
                    yield span, raw, inner_vr, text_set
        elif vr in TEXT or (vr == _UNKNOWN and may_be_text(span)):
            raw = data_set.read_value(span.tag) or b""
            if not raw.isascii() or b"\x1b" in raw:
                yield span, raw, vr, own


def _read_items(data_set: DataSet, span: ElementSpan) -> Iterator[DataSet]:
    """Yield the items of a sequence; none if an element stated as UN is not a sequence."""
    try:
        yield from data_set.read_items(span.tag)
    except (MalformedFileError, TruncatedFileError):
        if span.vr != _UNKNOWN:
            raise


def may_be_text(span: ElementSpan) -> bool:
    """Whether a private element of unknown VR is short enough for text that people read."""
    return bool(span.tag & 0x10000) and not span.undefined and span.length <= _LONGEST_UNKNOWN_TEXT


def looks_like_text(raw: bytes, character_set: str) -> bool:
    """Whether bytes beyond ASCII can be text that somebody wrote in a character set."""
    bare = raw.rstrip(b"\0 ")
    controls = any(byte < 0x20 and byte not in _CONTROLS_OF_TEXT for byte in bare)
    return len(bare) > 1 and not controls and _is_text(bare, character_set, "UT")


def find_character_set(data_set: DataSet, around: str) -> str:
    """Return the character set of an item; its default is that of the data set around it."""
    span = data_set.find(tags.SPECIFIC_CHARACTER_SET)
    return around if span is None else data_set.read_text(tags.SPECIFIC_CHARACTER_SET)


def find_vrs(data_set: DataSet) -> Iterator[tuple[ElementSpan, str]]:
    """Yield each element with the VR that it states, or has by the dictionaries; "UN" if unknown.

    The dictionaries also decide for elements that are stated as UN.
    """
    creators: dict[int, str] = {}
    for span in data_set.elements:
        tag = span.tag
        if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF:
            creators[tag] = data_set.read_text(tag)
        vr: str | None = span.vr
        if tag in PIXEL_DATA_TAGS:
            vr = "OW"
        elif span.vr in {"", _UNKNOWN}:
            private = tag & 0x10000
            creator = creators.get(tag & 0xFFFF0000 | (tag & 0xFFFF) >> 8, "")
            vr = find_private_vr(creator, tag) if private else find_vr(tag)
            if private and tag in creators:
                vr = "LO"
        yield span, vr or _UNKNOWN
