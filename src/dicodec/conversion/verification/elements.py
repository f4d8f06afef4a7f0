"""Compare everything but the frames of a result with its source: head, elements, edits."""

from __future__ import annotations

from collections import Counter

from dicodec.conversion.planning.conversion_plan import Conversion
from dicodec.conversion.verification.strict_walk import find_faults
from dicodec.errors import ContradictionError, VerificationError
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetSequence
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.options import edits_attributes
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.directory_records import ROOT_OFFSETS, clear_offsets, read_links
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS
from dicodec.part10.encoding import format_tag
from dicodec.part10.frames import Frames
from dicodec.part10.image_attributes import find_missing_attributes
from dicodec.part10.implicit_vr import ReencodingContext
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import ByteSource, read_chunks
from dicodec.part10.writer import make_reencoding_context, swap_chunks
from dicodec.repair.oddity_notes import Notes
from dicodec.rules.allowed_changes import Circumstance, count_lossy_methods, list_allowed_changes

_HELD_SIZE = 1 << 24

_MAY_REMAIN = frozenset(
    {
        OddityId.EMPTY_FRAME,
        OddityId.EXPLICIT_IN_UN,
        OddityId.IMPLICIT_ELEMENT,
        OddityId.MISSING_ATTRIBUTE,
        OddityId.OVERLAY_IN_SAMPLES,
        OddityId.STRAY_DELIMITER,
        OddityId.WRONG_HIGH_BIT,
        OddityId.ZERO_FRAMES,
    }
)
"""Oddities of a source in parts that are carried over; all others end with a conversion."""

_CARRIED_OVER = frozenset(
    {
        OddityId.DUPLICATE_ELEMENT,
        OddityId.EXPLICIT_IN_UN,
        OddityId.GROUP_LENGTH,
        OddityId.ODD_LENGTH,
        OddityId.SEQUENCE_KEPT_AS_UN,
        OddityId.STRAY_DELIMITER,
        OddityId.UNORDERED_ELEMENT,
    }
)
"""Oddities of a source that its elements keep in another encoding."""


def check_copy(source: DicomFile, made: DicomFile) -> None:
    """Raise VerificationError unless both are the same bytes."""
    sizes = (0, source.source.size), (0, made.source.size)
    if not _has_same_bytes(source.source, sizes[0], made.source, sizes[1]):
        raise VerificationError("the copy is not the same bytes")


def check_head(conversion: Conversion, made: DicomFile) -> None:
    """Raise VerificationError unless the result agrees with its head and the standard."""
    source, target = conversion.file, conversion.plan.target
    if made.stated_syntax != target.uid or made.syntax != target:
        raise VerificationError(
            f"the result is in {made.syntax.name}, not in {target.name}",
            attribute="TransferSyntaxUID",
        )
    of_source = {oddity.id for oddity in source.oddities}
    for oddity in made.oddities:
        if oddity.id not in of_source:
            raise VerificationError(
                f"the result is not standard: {oddity.text}", offset=oddity.offset
            )
        if oddity.id not in _MAY_REMAIN:
            raise VerificationError(
                f"the source is not standard, and the result keeps that: {oddity.text}",
                offset=oddity.offset,
            )
    if made.frames.present != source.frames.present:
        raise VerificationError("Pixel Data was lost or made up", attribute="PixelData")
    for meta_tag, tag in tags.META_COPIES.items():
        uid = made.data_set.read_text(tag)
        if uid and made.head.read_text(meta_tag) != uid:
            raise VerificationError(
                "File Meta Information names another image than the data set",
                attribute=format_tag(meta_tag),
            )


def check_elements(conversion: Conversion, made: DicomFile) -> None:
    """Every element that no edit names must be there, in its place and with the same content."""
    source = conversion.file
    edits = {edit.tag: edit for edit in conversion.edits}
    kept = [
        span for span in source.data_set.elements if span.tag & 0xFFFF and span.tag not in edits
    ]
    found = [span for span in made.data_set.elements if span.tag not in edits]
    lost = Counter(span.tag for span in kept)
    lost.subtract(span.tag for span in found)
    for tag, count in sorted(lost.items()):
        if count:
            change = "was lost" if count > 0 else "appeared"
            raise VerificationError(f"an element {change}", attribute=format_tag(tag))
    context = make_reencoding_context(source.data_set)
    for span, other in zip(kept, found, strict=True):
        if span.tag != other.tag:
            raise VerificationError(
                "an element is out of its place", attribute=format_tag(other.tag)
            )
        if span.tag == tags.DIRECTORY_RECORD_SEQUENCE and conversion.links:
            _check_records(source, span, made, other, context)
        elif span.tag not in PIXEL_DATA_TAGS and not (
            conversion.links and span.tag in ROOT_OFFSETS
        ):
            _check_element(source, span, made, other, context)
    for edit in edits.values():
        _check_edit(made, edit)


def check_directory(conversion: Conversion, made: DicomFile) -> None:
    """Check that the records of a DICOMDIR name each other as they did.

    Raises:
        VerificationError: an offset names another record than before, or none.
    """
    if not conversion.links:
        return
    try:
        links = read_links(made)
    except ContradictionError as error:
        raise VerificationError(error.message, attribute=error.attribute) from error
    for before, after in zip(conversion.links, links, strict=True):
        if before != after:
            raise VerificationError(
                f"directory record {before.owner} names another record than before",
                attribute=format_tag(before.tag),
            )


def check_allowed(conversion: Conversion, made: DicomFile) -> None:
    """Every change must be one that a conversion has reason to make, or that was asked for.

    The edits come from the same rules that made the result; this table does not.

    Raises:
        VerificationError: an attribute changed without reason.
    """
    source, pixels, asked = conversion.file, conversion.plan.pixels, conversion.referring
    if edits_attributes(conversion.options):
        from dicodec.conversion.edits.user_edits import find_user_tags

        asked |= find_user_tags(conversion)
    further = set()
    if pixels is not None and pixels.derived:
        further.add(Circumstance.RESCALED)
    if source.corrections or (
        pixels is not None and _describe_samples(pixels.result) != _describe_samples(pixels.stated)
    ):
        further.add(Circumstance.CORRECTED)
    one, two = source.data_set, made.data_set
    if source.frames.salvage is not None:
        further.add(Circumstance.SALVAGED)
    permitted = list_allowed_changes(
        zip(source.read_colors(), made.read_colors(), strict=True),
        (count_lossy_methods(one.read_text), count_lossy_methods(two.read_text)),
        further,
    )
    if pixels is not None:
        permitted |= dict.fromkeys(find_missing_attributes(one), "as it was taken")
    overlays = {overlay.group for overlay in pixels.overlays} if pixels is not None else set()
    for edit in conversion.edits:
        present = source.data_set.find(edit.tag) is not None
        if edit.tag in permitted or edit.tag in asked or edit.tag >> 16 in overlays:
            continue
        # Nested pixels made native, or left out; never made up.
        if present and (isinstance(edit, SetSequence) or edit.tag == tags.ICON_IMAGE_SEQUENCE):
            continue
        if present or not isinstance(edit, RemoveAttribute):
            raise VerificationError(
                "an attribute was changed without reason", attribute=format_tag(edit.tag)
            )


def _describe_samples(image: ImagePixelDescription) -> ImagePixelDescription:
    """Return a description without the attributes that conversions are free to change."""
    return replace(image, photometric_interpretation="", planar_configuration=0)


_PATCHED = frozenset(
    {
        tags.LOSSY_IMAGE_COMPRESSION_RATIO,
        tags.EXTENDED_OFFSET_TABLE,
        tags.EXTENDED_OFFSET_TABLE_LENGTHS,
    }
)
"""Attributes that an edit leaves room for; their values are known when the frames are written."""


def _check_edit(made: DicomFile, edit: Edit) -> None:
    spans = [span for span in made.data_set.elements if span.tag == edit.tag]
    if isinstance(edit, RemoveAttribute):
        right = not spans
    else:
        expected = encode_element(edit, made.data_set.encoding)
        found = [made.data_set.read_raw(span) for span in spans]
        if edit.tag == tags.DIRECTORY_RECORD_SEQUENCE:
            expected, *found = (
                clear_offsets(raw, made.data_set.encoding) for raw in (expected, *found)
            )
        right = found == [expected] or (
            edit.tag in _PATCHED and [span.end - span.start for span in spans] == [len(expected)]
        )
    if not right:
        raise VerificationError("an edit was not made", attribute=format_tag(edit.tag))


def _check_element(
    source: DicomFile,
    span: ElementSpan,
    made: DicomFile,
    other: ElementSpan,
    context: ReencodingContext,
) -> None:
    encoding = source.data_set.find_encoding(span)
    same = True
    if encoding == made.data_set.encoding:
        same = _has_same_bytes(
            source.data_set.source, (span.start, span.end),
            made.data_set.source, (other.start, other.end),
        )  # fmt: skip
    elif span.end - span.start < _HELD_SIZE:
        expected = reencode_elements(
            source.data_set.read_raw(span), encoding, made.data_set.encoding, context
        )
        same = expected == made.data_set.read_raw(other)
    elif not span.undefined and span.vr != "SQ" and not other.undefined:
        same = span.length == other.length or other.vr == "SQ"
    if not same:
        raise VerificationError("an element was changed", attribute=format_tag(span.tag))


def _check_records(
    source: DicomFile,
    span: ElementSpan,
    made: DicomFile,
    other: ElementSpan,
    context: ReencodingContext,
) -> None:
    """Compare the records of a DICOMDIR, but for the offsets by which they name each other."""
    encoding = made.data_set.encoding
    expected = source.data_set.read_raw(span)
    expected = reencode_elements(expected, source.data_set.find_encoding(span), encoding, context)
    if clear_offsets(expected, encoding) != clear_offsets(made.data_set.read_raw(other), encoding):
        raise VerificationError("an element was changed", attribute=format_tag(span.tag))


def check_value(source: Frames, made: Frames, swapped_unit: int = 1) -> None:
    """Check that Pixel Data was moved as a value; at most a pad byte was added.

    Args:
        source: as it was.
        made: as it is now.
        swapped_unit: bytes whose order has changed; 1 for none.

    Raises:
        VerificationError: it differs.
    """
    if source.empty and made.empty:
        return
    span, other = source.span, made.span
    if other.length - span.length not in {0, span.length % 2}:
        raise VerificationError("the length of Pixel Data differs", attribute="PixelData")
    place = 0
    for chunk in swap_chunks(source.source, span.value, span.value + span.length, swapped_unit):
        if made.source.read(other.value + place, len(chunk)) != chunk:
            raise VerificationError("the value of Pixel Data differs", attribute="PixelData")
        place += len(chunk)


def _has_same_bytes(
    one: ByteSource, range_one: tuple[int, int], two: ByteSource, range_two: tuple[int, int]
) -> bool:
    if range_one[1] - range_one[0] != range_two[1] - range_two[0]:
        return False
    chunks = zip(read_chunks(one, *range_one), read_chunks(two, *range_two), strict=True)
    return all(first == second for first, second in chunks)


def check_strictly(conversion: Conversion, made: DicomFile) -> tuple[Oddity, ...]:
    """Walk a result by strict rules, which forgive nothing that was forgiven in its source.

    Elements that were copied as they are may be as odd as in the source, and are then named. Those
    written anew may carry over only oddities that no reader stumbles over.

    Returns:
        The oddities that the result has of its source.

    Raises:
        VerificationError: something that was written departs from the standard.
    """
    source, syntax = conversion.file, made.syntax
    start = 0 if syntax.deflated else made.head.data_set_start
    faults = find_faults(
        made.data_set.source,
        start,
        conversion.plan.encoding,
        [span.start for span in made.data_set.elements],
        encapsulated=syntax.encapsulated,
    )
    if not faults:
        return ()
    edited = {edit.tag for edit in conversion.edits}
    copied = {
        span.tag
        for span in source.data_set.elements
        if span.tag not in edited and source.data_set.find_encoding(span) == made.data_set.encoding
    }
    notes = Notes()
    for fault in faults:
        text = f"{fault.path} {fault.text}"
        if fault.tag not in copied and fault.id not in _CARRIED_OVER:
            raise VerificationError(
                f"the result is not standard: {text}",
                attribute=format_tag(fault.tag),
                offset=fault.offset,
            )
        notes.add(fault.id, text)
    return notes.list_oddities()
