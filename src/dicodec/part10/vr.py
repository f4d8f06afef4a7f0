"""Table of Value Representations (PS3.5 section 6.2, tables 7.1-1 and 7.1-2)."""

from __future__ import annotations

from dicodec.model.records import NamedTuple


class ValueRepresentation(NamedTuple):
    """The properties of a VR that the moving of its values needs.

    Attributes:
        name: two letters.
        long_form: whether the explicit header has two reserved bytes and a 32-bit length
            (PS3.5 table 7.1-1) in place of a 16-bit length (table 7.1-2).
        swap_unit: bytes of the unit that changes with byte order; 1 for none (PS3.5 7.3).
        padding: the byte that makes an odd value even (PS3.5 6.2).
        text: whether a value is characters.
        in_character_set: whether Specific Character Set (0008,0005) applies (PS3.5 6.1.2.3).
    """

    name: str
    long_form: bool
    swap_unit: int
    padding: bytes
    text: bool = False
    in_character_set: bool = False


def _make_text_row(
    name: str, *, long_form: bool = False, in_set: bool = False
) -> ValueRepresentation:
    return ValueRepresentation(name, long_form, 1, b" ", text=True, in_character_set=in_set)


def _make_binary_row(name: str, unit: int, *, long_form: bool = False) -> ValueRepresentation:
    return ValueRepresentation(name, long_form, unit, b"\0")


VALUE_REPRESENTATIONS: dict[str, ValueRepresentation] = {
    row.name: row
    for row in (
        _make_text_row("AE"),
        _make_text_row("AS"),
        _make_binary_row("AT", 2),
        _make_text_row("CS"),
        _make_text_row("DA"),
        _make_text_row("DS"),
        _make_text_row("DT"),
        _make_binary_row("FL", 4),
        _make_binary_row("FD", 8),
        _make_text_row("IS"),
        _make_text_row("LO", in_set=True),
        _make_text_row("LT", in_set=True),
        _make_binary_row("OB", 1, long_form=True),
        _make_binary_row("OD", 8, long_form=True),
        _make_binary_row("OF", 4, long_form=True),
        _make_binary_row("OL", 4, long_form=True),
        _make_binary_row("OV", 8, long_form=True),
        _make_binary_row("OW", 2, long_form=True),
        _make_text_row("PN", in_set=True),
        _make_text_row("SH", in_set=True),
        _make_binary_row("SL", 4),
        _make_binary_row("SQ", 1, long_form=True),
        _make_binary_row("SS", 2),
        _make_text_row("ST", in_set=True),
        _make_binary_row("SV", 8, long_form=True),
        _make_text_row("TM"),
        _make_text_row("UC", long_form=True, in_set=True),
        ValueRepresentation("UI", False, 1, b"\0", text=True),
        _make_binary_row("UL", 4),
        _make_binary_row("UN", 1, long_form=True),
        _make_text_row("UR", long_form=True),
        _make_binary_row("US", 2),
        _make_text_row("UT", long_form=True, in_set=True),
        _make_binary_row("UV", 8, long_form=True),
    )
}


def is_padded_wrongly(vr: str, value: bytes) -> bool:
    """Return whether a text value ends otherwise than PS3.5 6.2 pads its VR; a UID has one NUL."""
    tail = value[len(value.rstrip(b"\0 ")) :]
    return tail not in {b"", b"\0"} if vr == "UI" else b"\0" in tail


LONG_FORM: frozenset[bytes] = frozenset(
    name.encode() for name, row in VALUE_REPRESENTATIONS.items() if row.long_form
)
SHORT_FORM: frozenset[bytes] = frozenset(
    name.encode() for name, row in VALUE_REPRESENTATIONS.items() if not row.long_form
)

SHORT_FORM_LIMIT = 0xFFFE
"""Largest even length that a 16-bit length field can state."""


def states_vr(first: bytes) -> bool:
    """Return whether an element's first bytes have a VR after the tag."""
    return first[4:6] in SHORT_FORM or first[4:6] in LONG_FORM
