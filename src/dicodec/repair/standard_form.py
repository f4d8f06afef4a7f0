"""The standard form of a file: that of a strict reader, as far as nothing has to be invented.

Parts that are right stay at their offsets, byte for byte.
"""

from __future__ import annotations

from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import dataclass, replace
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.encoding import format_tag
from dicodec.part10.image_attributes import read_stated_attributes
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from dicodec.part10.writer import make_standard_meta
from dicodec.repair.catalogue import ODDITIES
from dicodec.repair.element_forms import ReadableForm, StandardForm
from dicodec.repair.element_tree import ElementTree
from dicodec.repair.image_attributes import read_stated_frames
from dicodec.repair.level_facts import TreeLevel
from dicodec.repair.oddity_notes import Notes
from dicodec.repair.placed_elements import PlacedElements
from dicodec.repair.placed_values import Entry, Place
from dicodec.repair.vr_choice import find_text_faults
from dicodec.rules.image_edits import choose_native_vr, make_image_edits

_REQUIRED_META = (
    tags.FILE_META_VERSION,
    *tags.META_COPIES,
    tags.TRANSFER_SYNTAX_UID,
    tags.IMPLEMENTATION_CLASS_UID,
)
"""Type 1 in PS3.10 table 7.1-1."""

_JUDGED_META = frozenset({tags.TRANSFER_SYNTAX_UID, *tags.META_COPIES})
"""Elements whose values are judged by opening the file, and by its data set."""

_OF_WRITER = frozenset({tags.IMPLEMENTATION_CLASS_UID, tags.IMPLEMENTATION_VERSION_NAME})
"""Elements that name who wrote a file: a result has its own."""


@dataclass(frozen=True, slots=True)
class Standardized:
    """A file in its standard form.

    Attributes:
        file: over bytes that differ from the source's if they had to be rewritten.
        repaired: corrections that the file's own oddities do not name.
        left: oddities that were left, because their meaning is not known.
    """

    file: DicomFile
    repaired: tuple[Oddity, ...]
    left: tuple[Oddity, ...]


def make_standard(file: DicomFile) -> Standardized:
    """Bring a file to its standard form.

    Raises:
        MalformedFileError, TruncatedFileError: an element has no sure reading.
        LimitExceededError: a number is past its limit.
    """
    form = _StandardFile(file)
    data_set = form.make_data_set()
    corrections = form.make_corrections()
    form.check_pixel_data()
    form.check_head()
    form.check_meta_elements()
    notes = form.notes.list_oddities()
    repaired = tuple(note for note in notes if not ODDITIES[note.id].left_alone)
    repaired += form.replaced.list_oddities()
    left = tuple(note for note in notes if ODDITIES[note.id].left_alone)
    if data_set is not file.data_set or corrections:
        file = replace(file, data_set=data_set, corrections=(*file.corrections, *corrections))
    return Standardized(file, repaired, left)


def make_readable(file: DicomFile) -> DicomFile | None:
    """Return a file whose sequences can be read, too; None if nothing had to be changed.

    Opening reads sequences only if their undefined length leaves no other way.

    Raises:
        MalformedFileError, TruncatedFileError: an element has no sure reading.
        LimitExceededError: a number is past its limit.
    """
    notes = Notes()
    data_set = _bring_to_form(file.data_set, ReadableForm(file.data_set.source, notes), notes)
    if data_set is file.data_set:
        return None
    return replace(file, data_set=data_set, oddities=(*file.oddities, *notes.list_oddities()))


def _bring_to_form(given: DataSet, form: ReadableForm, notes: Notes) -> DataSet:
    """Return the elements in a form; the same data set if all of them are right."""
    source, encoding = given.source, given.encoding
    tree = ElementTree(source, given.limits, notes, form)
    signed = given.read_number(tags.PIXEL_REPRESENTATION)
    level = TreeLevel(source, 0, source.size, encoding, None, {tags.PIXEL_REPRESENTATION: signed})
    level.character_set = given.read_text(tags.SPECIFIC_CHARACTER_SET)
    place = Place(encoding, encoding, level)
    entries: list[Entry] = []
    spans: dict[int, ElementSpan] = {}
    for span in given.elements:
        spans[span.start] = span
        if span.tag in PIXEL_DATA_TAGS:
            entries.append(Entry(span.tag, span.vr, span.start, span.end, None))
        else:
            at = place._replace(encoding=given.find_encoding(span))
            entries.append(tree.read_element(span.start, span.end, at))
    placed = PlacedElements(source)
    for entry in form.order(entries):
        if entry.pieces is None:
            placed.keep(spans[entry.start])
        else:
            placed.add(entry)
    if placed.elements == list(given.elements):
        return given
    if any(entry.vr for entry in placed.elements):
        encoding = encoding._replace(explicit_vr=True)  # others may have no VR all the same
    return DataSet(placed.make_source(), encoding, placed.elements, given.limits)


class _StandardFile:
    def __init__(self, file: DicomFile) -> None:
        self.notes = Notes()
        self.replaced = Notes()
        self._file = file

    def make_data_set(self) -> DataSet:
        """Return the elements; the same data set if all of them are right."""
        given = self._file.data_set
        return _bring_to_form(given, StandardForm(given.source, self.notes), self.notes)

    def make_corrections(self) -> tuple[Edit, ...]:
        """Return the values of the Image Pixel Module that were only assumed (PS3.3 C.7.6.3)."""
        data_set, image = self._file.data_set, self._file.frames.description
        if image is None:
            return ()
        edits = make_image_edits(read_stated_attributes(data_set), image)
        sizes = ((tags.ROWS, image.rows), (tags.COLUMNS, image.columns))
        edits += tuple(
            SetAttribute(tag, "US", (size,))
            for tag, size in sizes
            if data_set.read_number(tag) != size
        )
        if read_stated_frames(data_set) != image.number_of_frames:
            edits += (SetAttribute(tags.NUMBER_OF_FRAMES, "IS", str(image.number_of_frames)),)
        corrected = {edit.tag for edit in self._file.corrections}
        return tuple(edit for edit in edits if edit.tag not in corrected)

    def check_pixel_data(self) -> None:
        """Note the faults of the Pixel Data element; a result's is always rewritten."""
        span, image = self._file.frames.span, self._file.frames.description
        if span.vr and image is not None:
            right = "OB" if span.undefined else choose_native_vr(image, span.vr)
            if span.vr != right:
                self.notes.add(
                    OddityId.WRONG_PIXEL_DATA_VR, f"Pixel Data is {span.vr} and should be {right}",
                    span.start,
                )  # fmt: skip
        if not span.undefined and span.length % 2:
            self.notes.add(OddityId.ODD_LENGTH, f"Pixel Data has {span.length} bytes", span.start)

    def check_head(self) -> None:
        """Note the gaps of File Meta Information; a result's is always complete (PS3.10 7.1)."""
        head, data_set = self._file.head, self._file.data_set
        if not head.elements:
            return  # it is an oddity of its own
        present = {element.tag for element in head.elements}
        lacking = []
        for tag in _REQUIRED_META:
            of_data_set = tags.META_COPIES.get(tag)
            if tag in present:
                continue
            if of_data_set is not None and not data_set.read_text(of_data_set):
                self.notes.add(OddityId.UNKNOWN_SOP_INSTANCE, f"{find_keyword(tag)} is nowhere")
            else:
                lacking.append(tag)
        lacking += [
            tag
            for tag, of_data_set in tags.META_COPIES.items()
            if tag not in lacking
            and data_set.read_text(of_data_set)
            and head.read_text(tag) != data_set.read_text(of_data_set)
        ]
        for tag in lacking:
            fault = "is not as in the data set" if tag in present else "is missing"
            self.notes.add(OddityId.INCOMPLETE_FILE_META, f"{format_tag(tag)} {fault}")

    def check_meta_elements(self) -> None:
        """Note the elements of File Meta Information that a result has in another form."""
        seen: set[int] = set()
        blank = any(one.id == OddityId.BLANK_IN_UID for one in self._file.oddities)
        for element in self._file.head.elements:
            tag, value, start = element.tag, element.value, element.start
            if tag in seen:
                continue  # opening the file noted it
            if tag < max(seen, default=0):
                text = f"{format_tag(tag)} is out of order"
                self.notes.add(OddityId.UNORDERED_ELEMENT, text, start)
            seen.add(tag)
            standard = make_standard_meta(element)
            vr = standard.vr
            if vr != element.vr:
                oddity = OddityId.KNOWN_UN if element.vr == "UN" else OddityId.WRONG_VR
                text = f"{format_tag(tag)} is stated as {element.vr} and is {vr}"
                self.notes.add(oddity, text, start)
            if tag == tags.TRANSFER_SYNTAX_UID and blank:
                continue  # opening the file noted it, whatever side the blanks are on
            if standard.value != value:
                text = f"{format_tag(tag)} is not padded as {vr} is"
                self.notes.add(OddityId.WRONG_PADDING, text, start)
            elif len(value) % 2:
                text = f"{format_tag(tag)} has {len(value)} bytes"
                self.notes.add(OddityId.ODD_LENGTH, text, start)
            row = VALUE_REPRESENTATIONS.get(vr)
            if tag in _JUDGED_META or row is None or not row.text:
                continue
            if fault := find_text_faults(vr, tag, value.rstrip(b"\0 "), ""):
                notes = self.replaced if tag in _OF_WRITER else self.notes
                notes.add(OddityId.ILLEGAL_VALUE, f"{format_tag(tag)} {fault}", start)
