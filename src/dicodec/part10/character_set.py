"""Text in the character sets of DICOM: Specific Character Set (0008,0005), ISO 2022 included.

PS3.5 6.1 and PS3.3 C.12.1.1.2. Reading shows all characters that it can; writing never replaces a
character that the data set's own character sets lack.
"""

from __future__ import annotations

import re
from functools import lru_cache

from dicodec.errors import InvalidOptionError
from dicodec.model.records import NamedTuple

_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_TERM = r"ISO[ _-]?(?:2022[ _-])?(?:IR[ _-]?)?(\d+)"  # few files need it, so it is compiled then
_NO_TEXT = "[\x1b\ufffd\x7f-\x9f]"
"""Escapes and bytes that were not decoded, and control characters that no set has."""
_CONTROLS = "\t\n\f\r"
_NOT_MULTI_VALUED = frozenset({"LT", "ST", "UT"})
_WHOLE = {
    "ISO_IR 192": "utf-8", "ISO 2022 IR 192": "utf-8", "UTF-8": "utf-8",
    "GB18030": "gb18030", "GBK": "gbk", "ISO 2022 GBK": "gbk",
}  # fmt: skip
"""Terms that stand alone: no code extensions (PS3.3 table C.12-5)."""


class _Set(NamedTuple):
    """A character set of PS3.3 tables C.12-2 to C.12-4.

    Attributes:
        escape: the escape sequence that invokes it.
        codec: Python's codec; two-byte sets go through the EUC that holds them.
        upper: whether it is invoked as G1, bytes from 0x80 on.
        width: bytes a character.
        prefix: bytes that the EUC puts before its characters.
    """

    escape: bytes
    codec: str
    upper: bool
    width: int = 1
    prefix: bytes = b""

    def decode(self, code: bytes) -> str:
        """Return one character, U+FFFD if the bytes are not one."""
        high = bytes(byte | 0x80 for byte in code) if self.width == 2 else code
        return (self.prefix + high).decode(self.codec, "replace")[:1]

    def encode(self, character: str) -> bytes | None:
        """Return the code of one character beyond ASCII, None if the set lacks it."""
        try:
            code = character.encode(self.codec)
        except UnicodeEncodeError:
            return None
        if not code.startswith(self.prefix) or len(code) != len(self.prefix) + self.width:
            return None
        code = code[len(self.prefix) :]
        if any(byte < 0x80 for byte in code) or (self.width == 2 and code[0] < 0xA0):
            return None
        return code if self.upper else bytes(byte & 0x7F for byte in code)


_ASCII = _Set(b"\x1b(B", "ascii", upper=False)
_ROMAJI = _Set(b"\x1b(J", "ascii", upper=False)  # but for the yen sign and the overline
_KANJI = _Set(b"\x1b$B", "euc_jp", upper=False, width=2)
_SETS = {
    "13": _Set(b"\x1b)I", "shift_jis", upper=True),
    "58": _Set(b"\x1b$)A", "gb2312", upper=True, width=2),
    "87": _KANJI,
    "100": _Set(b"\x1b-A", "iso8859-1", upper=True),
    "101": _Set(b"\x1b-B", "iso8859-2", upper=True),
    "109": _Set(b"\x1b-C", "iso8859-3", upper=True),
    "110": _Set(b"\x1b-D", "iso8859-4", upper=True),
    "126": _Set(b"\x1b-F", "iso8859-7", upper=True),
    "127": _Set(b"\x1b-G", "iso8859-6", upper=True),
    "138": _Set(b"\x1b-H", "iso8859-8", upper=True),
    "144": _Set(b"\x1b-L", "iso8859-5", upper=True),
    "148": _Set(b"\x1b-M", "iso8859-9", upper=True),
    "149": _Set(b"\x1b$)C", "euc_kr", upper=True, width=2),
    "159": _Set(b"\x1b$(D", "euc_jp", upper=False, width=2, prefix=b"\x8f"),
    "166": _Set(b"\x1b-T", "iso8859-11", upper=True),
    "203": _Set(b"\x1b-b", "iso8859-15", upper=True),
}
_BY_ESCAPE = {row.escape: row for row in (_ASCII, _ROMAJI, *_SETS.values())}
_BY_ESCAPE[b"\x1b$@"] = _KANJI  # JIS C 6226 of 1978


class _Repertoire(NamedTuple):
    """The meaning of Specific Character Set: one codec, or the sets that may be invoked."""

    whole: str | None
    lower: _Set
    upper: _Set | None
    others: tuple[_Set, ...]


def decode_text(raw: bytes, character_set: str, vr: str = "LO") -> str:
    """Return the text of a value, padding and backslashes included, for people to read.

    Bytes that the character sets do not have become U+FFFD, or Latin-1 if the data set names only
    the default repertoire.

    Args:
        raw: the value.
        character_set: Specific Character Set, its values joined by backslashes; "" for none.
        vr: of the element; it decides which characters end a code extension (PS3.5 6.1.2.5.3).
    """
    if b"\x1b" not in raw and raw.isascii():
        return raw.decode("ascii")
    repertoire = _parse_character_set(character_set)
    if repertoire.whole:
        return raw.decode(repertoire.whole, "replace")
    if b"\x1b" not in raw and repertoire.upper is None and not repertoire.others:
        return raw.decode("latin-1")
    return _decode_extended(raw, repertoire, _find_delimiters(vr))


@lru_cache(maxsize=16)  # those of all texts of a file; one may be as long as its file
def is_character_set(character_set: str) -> bool:
    """Return whether every value is a Defined Term of Specific Character Set (PS3.3 C.12.1.1.2)."""
    terms = [term.strip(" \0").upper() for term in character_set.split("\\")]
    return all(
        term in _WHOLE
        or (index == 0 and len(terms) > 1 and not term)
        or ((match := re.fullmatch(_TERM, term)) is not None and match[1] in {"6", *_SETS})
        for index, term in enumerate(terms)
    )


def decode_surely(raw: bytes, character_set: str, vr: str = "LO") -> str:
    """Return the text of a value, padding and backslashes included.

    Args:
        raw: the value.
        character_set: Specific Character Set, its values joined by backslashes; "" for none.
        vr: of the element.

    Raises:
        ValueError: the character sets lack a byte, or it is a control character they do not have.
    """
    if b"\x1b" not in raw and raw.isascii():
        return raw.decode("ascii")
    repertoire = _parse_character_set(character_set)
    if repertoire.whole:
        text = raw.decode(repertoire.whole)
    else:
        text = _decode_extended(raw, repertoire, _find_delimiters(vr), strictly=True)
    if re.search(_NO_TEXT, text):
        raise ValueError("bytes that the character set does not have")
    if not text.isascii() and not is_character_set(character_set):
        raise ValueError("code extensions, and no character set that has them")
    return text


def encode_text(text: str, character_set: str, vr: str = "LO") -> bytes:
    """Return text in the data set's own character sets, with code extensions if it needs them.

    Args:
        text: with backslashes between values, if the VR has several.
        character_set: Specific Character Set, its values joined by backslashes; "" for none.
        vr: of the element.

    Raises:
        InvalidOptionError: the character sets lack a character.
    """
    if text.isascii():
        return text.encode("ascii")
    repertoire = _parse_character_set(character_set)
    if not repertoire.whole:
        return _encode_extended(text, repertoire, _find_delimiters(vr), character_set)
    try:
        return text.encode(repertoire.whole)
    except UnicodeEncodeError as cause:
        raise _make_error(text[cause.start], character_set) from cause


@lru_cache(maxsize=16)
def _parse_character_set(character_set: str) -> _Repertoire:
    terms = [term.strip(" \0").upper() for term in character_set.split("\\")]
    for term in terms:
        if term in _WHOLE:
            return _Repertoire(_WHOLE[term], _ASCII, None, ())
    numbers = [match[1] if (match := re.fullmatch(_TERM, term)) else "" for term in terms]
    sets = [_SETS[number] for number in numbers if number in _SETS]
    initial = _SETS.get(numbers[0])
    lower = _ROMAJI if numbers[0] == "13" else _ASCII
    upper = initial if initial is not None and initial.upper else None
    return _Repertoire(None, lower, upper, tuple(one for one in sets if one is not upper))


def _find_delimiters(vr: str) -> str:
    if vr == "PN":
        return "\\^=" + _CONTROLS
    return _CONTROLS if vr in _NOT_MULTI_VALUED else "\\" + _CONTROLS


def _decode_extended(
    raw: bytes, repertoire: _Repertoire, delimiters: str, *, strictly: bool = False
) -> str:
    lower, upper = repertoire.lower, repertoire.upper
    text: list[str] = []
    position = plain = 0
    while position < len(raw):
        byte = raw[position]
        if byte == 0x1B and (match := _ESCAPE.match(raw, position)):
            invoked = _BY_ESCAPE.get(match[0])
            position = match.end()
            if invoked is None:
                text.append("\ufffd")
            elif invoked.upper:
                upper = invoked
            else:
                lower = invoked
            continue
        if lower.width == 2 and position >= plain and chr(byte) in delimiters:
            plain = _find_plain_end(raw, position, lower)
            if plain == position:
                lower = repertoire.lower
        row = upper if byte >= 0x80 else lower
        width = 1 if byte <= 0x20 or row is None else row.width
        code = raw[position : position + width]
        position += width
        if byte < 0x80 and width == 1:
            text.append(chr(byte))
            if chr(byte) in delimiters:
                lower = repertoire.lower
                upper = repertoire.upper or upper  # some writers invoke Korean only once
        elif row is None:
            text.append("\ufffd" if strictly else code.decode("latin-1"))
        elif len(code) < width:
            text.append("\ufffd")
        else:
            text.append(row.decode(code))
    return "".join(text)


def _find_plain_end(raw: bytes, position: int, row: _Set) -> int:
    """Return the end of characters of two bytes that hold no delimiter; `position` if one is there.

    Text returns to the initial set before a delimiter (PS3.5 6.1.2.5.3); some writers of Japanese
    names do not. The byte is a delimiter if the characters that it would begin are not all ones.
    """
    end = position
    while end < len(raw) and 0x20 < raw[end] < 0x80:
        end += 1
    run = raw[position:end]
    odd = len(run) % 2 == 1
    if odd or any(row.decode(run[at : at + 2]) == "\ufffd" for at in range(0, len(run), 2)):
        return position
    return max(end, position + 1)


def _encode_extended(
    text: str, repertoire: _Repertoire, delimiters: str, character_set: str
) -> bytes:
    lower, upper = repertoire.lower, repertoire.upper
    out = bytearray()
    for character in text:
        if character < "\x80":
            if lower.width == 2 or (character in delimiters and lower is not repertoire.lower):
                lower = repertoire.lower
                out += lower.escape
            if character in delimiters and upper is not repertoire.upper:
                upper = repertoire.upper
                out += upper.escape if upper else b""
            out += character.encode("ascii")
            continue
        for row in (upper, lower, repertoire.upper, *repertoire.others):
            code = row.encode(character) if row else None
            if row and code:
                break
        else:
            raise _make_error(character, character_set)
        if row is not upper and row is not lower:
            out += row.escape
            if row.upper:
                upper = row
            else:
                lower = row
        out += code
    if lower is not repertoire.lower:
        out += repertoire.lower.escape
    return bytes(out)


def _make_error(character: str, character_set: str) -> InvalidOptionError:
    name = f"character set {character_set}" if character_set.strip("\\ ") else "default repertoire"
    return InvalidOptionError(
        f"the data set's {name} has no {character!r}",
        hint='`charset="utf-8"` writes all text in UTF-8, which has it',
    )
