"""Forms of single elements: the readable form changes as little as it can, the standard form all.

PS3.5 6.2 (VRs and padding), 7.1 (order and even length), 7.2 (group lengths).
"""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.errors import MalformedFileError
from dicodec.model.findings import OddityId
from dicodec.model.records import NamedTuple
from dicodec.part10.encoding import RESERVED_GROUPS, format_tag
from dicodec.part10.other_kinds import convert_value, is_of_another_kind
from dicodec.part10.source import ByteSource
from dicodec.part10.spliced_source import Piece, SourceRange
from dicodec.part10.vr import VALUE_REPRESENTATIONS, is_padded_wrongly
from dicodec.repair.element_headers import ElementHeader
from dicodec.repair.level_facts import TreeLevel
from dicodec.repair.oddity_notes import Notes
from dicodec.repair.vr_choice import (
    CHECKED_SIZE,
    find_allowed_vrs,
    find_known_vr,
    find_text_faults,
    kinds_agree,
    value_fits,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.repair.placed_values import Entry

_CREATOR_SIZE = 256


class Leaf(NamedTuple):
    """The new form of an element that is not a sequence.

    Attributes:
        vr: the VR it gets, if VRs are stated.
        value: its value if that changes, else None.
    """

    vr: str
    value: list[Piece] | None


class ReadableForm:
    """Elements stay as they are, but for headers that a plain reader does not understand."""

    parses_unknown = False

    def __init__(self, source: ByteSource, notes: Notes) -> None:
        self._source = source
        self._notes = notes

    def make_leaf(self, header: ElementHeader, level: TreeLevel) -> Leaf:
        """Return the VR that an element gets that states none, or none that there is."""
        return Leaf(header.vr or self._choose_fitting_vr(header, level), None)

    def order(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the elements of a level in file order."""
        return entries

    def _choose_fitting_vr(self, header: ElementHeader, level: TreeLevel) -> str:
        first = self._source.read(header.value, min(header.length, _CREATOR_SIZE))
        vr = find_known_vr(header.tag, first, level)
        if header.encoding.explicit_vr and not self._fits(vr, header, level):
            return "UN"
        return vr

    def _fits(self, vr: str, header: ElementHeader, level: TreeLevel) -> bool:
        value = self._source.read(header.value, min(header.length, CHECKED_SIZE))
        length = header.length + header.length % 2
        return value_fits(vr, header.tag, length, value, level.character_set)


class StandardForm(ReadableForm):
    """Gives elements the form that a strict reader takes, as far as nothing has to be invented."""

    parses_unknown = True

    def make_leaf(self, header: ElementHeader, level: TreeLevel) -> Leaf:
        """Return VR and value of an element: the dictionary's VR, even length, right padding."""
        converted = self._convert(header, level)
        if converted is not None:
            return converted
        vr = self._choose_standard_vr(header, level)
        row = VALUE_REPRESENTATIONS[vr]
        if row.text and header.length <= CHECKED_SIZE:
            return Leaf(vr, self._standardize_text(header, vr, level))
        if header.length % 2 == 0 or header.padding:
            return Leaf(vr, None)
        self._note(OddityId.ODD_LENGTH, f"has {header.length} bytes", header)
        end = header.value + header.length
        return Leaf(vr, [SourceRange(self._source, header.value, end), row.padding])

    def order(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the elements of a level by rising tag, the first of each.

        Group lengths, and groups that no data set has, are left out.
        """
        kept: dict[int, Entry] = {}
        previous = -1
        for entry in entries:
            if entry.tag & 0xFFFF == 0:
                self._notes.add(
                    OddityId.GROUP_LENGTH, f"{format_tag(entry.tag)} is a group length", entry.start
                )
            elif entry.tag >> 16 in RESERVED_GROUPS:
                self._notes.add(
                    OddityId.RESERVED_GROUP,
                    f"{format_tag(entry.tag)} is in the data set",
                    entry.start,
                )
            elif entry.tag in kept:
                self._notes.add(
                    OddityId.DUPLICATE_ELEMENT,
                    f"{format_tag(entry.tag)} is there again",
                    entry.start,
                )
            else:
                if entry.tag < previous:
                    self._notes.add(
                        OddityId.UNORDERED_ELEMENT,
                        f"{format_tag(entry.tag)} is out of order",
                        entry.start,
                    )
                kept[entry.tag] = entry
                previous = max(previous, entry.tag)
        return sorted(kept.values(), key=lambda entry: entry.tag)

    def _convert(self, header: ElementHeader, level: TreeLevel) -> Leaf | None:
        """Return a value of another kind than the dictionary's VR as one of that, if it can be."""
        if header.vr in {"", "UN"} or header.tag & 0x10000 or header.length > CHECKED_SIZE:
            return None
        if header.vr in find_allowed_vrs(header.tag):
            return None
        value = self._source.read(header.value, header.length)
        known = find_known_vr(header.tag, value, level)
        if not value or not is_of_another_kind(header.vr, known):
            return None
        encoding = header.encoding
        try:
            made = convert_value(value, header.vr, known, encoding, encoding)
        except MalformedFileError:
            return None
        if not value_fits(known, header.tag, len(made), made, level.character_set):
            return None
        text = f"is stated as {header.vr}, and the dictionary has {known}"
        self._note(OddityId.VALUE_OF_ANOTHER_KIND, text, header)
        return Leaf(known, [made])

    def _choose_standard_vr(self, header: ElementHeader, level: TreeLevel) -> str:
        if header.vr == "":
            return self._choose_fitting_vr(header, level)
        allowed = find_allowed_vrs(header.tag)
        if header.vr in allowed or (header.vr != "UN" and not allowed):
            return header.vr
        first = self._source.read(header.value, min(header.length, _CREATOR_SIZE))
        known = find_known_vr(header.tag, first, level)
        if known == "UN":
            return header.vr
        fits = self._fits(known, header, level)
        if header.vr == "UN":
            if not fits:
                return "UN"
            self._note(OddityId.KNOWN_UN, f"is stated as UN and is {known}", header)
            return known
        if fits and kinds_agree(header.vr, known):
            self._note(OddityId.WRONG_VR, f"is stated as {header.vr} and is {known}", header)
            return known
        self._note(
            OddityId.OTHER_VR, f"is stated as {header.vr}, and the dictionary has {known}", header
        )
        return header.vr

    def _standardize_text(
        self, header: ElementHeader, vr: str, level: TreeLevel
    ) -> list[Piece] | None:
        """Return a text value padded as its VR is; None if it is already."""
        value = self._source.read(header.value, header.length + header.padding)
        pad = VALUE_REPRESENTATIONS[vr].padding
        bare = value.rstrip(b"\0 ")
        right = value
        if is_padded_wrongly(vr, value):
            self._note(OddityId.WRONG_PADDING, f"is not padded as {vr} is", header)
            right = bare
        elif len(value) % 2:
            self._note(OddityId.ODD_LENGTH, f"has {len(value)} bytes", header)
        fault = find_text_faults(vr, header.tag, bare, level.character_set)
        if fault:
            self._note(OddityId.ILLEGAL_VALUE, fault, header)
        if len(right) % 2:
            right += pad
        return None if right == value else [right]

    def _note(self, oddity: OddityId, text: str, header: ElementHeader) -> None:
        self._notes.add(oddity, f"{format_tag(header.tag)} {text}", header.start)
