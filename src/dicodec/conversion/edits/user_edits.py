"""Edits that the caller asks for: attributes to set and to remove, and their checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from dicodec.conversion.planning.conversion_plan import Conversion
from dicodec.errors import InvalidOptionError
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_keyword, parse_tag
from dicodec.part10.directory_records import DIRECTORY_TAGS, is_directory
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.encoding import DELIMITER_GROUP, EXPLICIT_LITTLE, DataSetEncoding, format_tag
from dicodec.part10.values import encode_user_value

_NOT_TO_EDIT = frozenset(
    {
        tags.PIXEL_DATA, tags.FLOAT_PIXEL_DATA, tags.DOUBLE_FLOAT_PIXEL_DATA,
        tags.SAMPLES_PER_PIXEL, tags.PHOTOMETRIC_INTERPRETATION, tags.PLANAR_CONFIGURATION,
        tags.NUMBER_OF_FRAMES, tags.ROWS, tags.COLUMNS, tags.BITS_ALLOCATED, tags.BITS_STORED,
        tags.HIGH_BIT, tags.PIXEL_REPRESENTATION, *tags.ENCAPSULATED_ATTRIBUTES,
        tags.LOSSY_IMAGE_COMPRESSION, tags.LOSSY_IMAGE_COMPRESSION_RATIO,
        tags.LOSSY_IMAGE_COMPRESSION_METHOD, *tags.PALETTE_TAGS,
        *DIRECTORY_TAGS,
    }
)  # fmt: skip
"""Attributes that describe the pixels and their losses, or say where the records of a DICOMDIR lie.

A user cannot set or remove them.
"""

_OF_OVERLAYS = frozenset(
    {
        tags.OVERLAY_ROWS, tags.OVERLAY_COLUMNS, tags.NUMBER_OF_FRAMES_IN_OVERLAY,
        tags.IMAGE_FRAME_ORIGIN, tags.OVERLAY_BITS_ALLOCATED, tags.OVERLAY_BIT_POSITION,
        tags.OVERLAY_DATA,
    }
)  # fmt: skip
"""Attributes of an overlay that follow from the pixels if it was among them, by their element."""

_FIRST_GROUP = 0x0008
_DIRECTORY_GROUP = 0x0004


def make_user_edits(
    data_set: DataSet, options: ConversionOptions, encoding: DataSetEncoding, warnings: list[str]
) -> list[Edit]:
    """Return the edits that the caller asks for.

    Args:
        data_set: the source.
        options: the caller's options.
        encoding: of the result.
        warnings: takes warnings of the edits.

    Raises:
        InvalidOptionError: an attribute does not exist, cannot hold the text, follows from the
            pixels, or contradicts another option.
    """
    _check_instance_is_named(options)
    _check_label_of_text(options)
    edits: list[Edit] = [
        RemoveAttribute(find_editable_tag(name)) for name in options.remove_attributes
    ]
    wanted = {find_editable_tag(name): text for name, text in options.set_attributes}
    character_set = wanted.get(tags.SPECIFIC_CHARACTER_SET) or data_set.read_text(
        tags.SPECIFIC_CHARACTER_SET
    )
    if options.charset is not None:
        from dicodec.repair.character_sets import UTF_8

        character_set = UTF_8
    _check_directory(data_set, [*wanted, *(edit.tag for edit in edits)])
    _check_text(data_set, options, edits, wanted, warnings)
    signed = data_set.read_number(tags.PIXEL_REPRESENTATION) == 1
    for tag, text in wanted.items():
        vr, value = encode_user_value(tag, text, character_set, encoding, signed=signed)
        edits.append(SetAttribute(tag, vr, value))
    return edits


def check_overlay_edits(
    data_set: DataSet,
    wanted: Sequence[Edit],
    overlays: Collection[int],
    planned: Sequence[Edit],
    encoding: DataSetEncoding,
) -> None:
    """Check that the caller's edits agree with the overlays that are taken out of Pixel Data.

    An overlay may be removed as a whole. Overlay Origin is the caller's to set.

    Args:
        data_set: the source.
        wanted: the caller's edits.
        overlays: groups of the overlays.
        planned: the edits that follow from the pixels.
        encoding: of the result.

    Raises:
        InvalidOptionError: an edit contradicts the overlay.
    """
    written = {edit.tag: edit for edit in planned if edit.tag >> 16 in overlays}
    last = {edit.tag: edit for edit in wanted if edit.tag >> 16 in overlays}
    for tag, edit in last.items():
        group, element = tag >> 16, tag & 0xFFFF
        if element not in _OF_OVERLAYS or _is_same(edit, written.get(tag), encoding):
            continue
        present = {span.tag for span in data_set.elements if span.tag >> 16 == group}
        whole = present | {one for one in written if one >> 16 == group}
        if all(isinstance(last.get(one), RemoveAttribute) for one in whole):
            continue
        raise InvalidOptionError(
            "the overlay is taken out of Pixel Data: the attribute follows from the pixels, and "
            "cannot be set or removed",
            attribute=format_tag(tag),
            hint="edit the result, or remove each attribute of the overlay, Overlay Data too",
        )


def _is_same(edit: Edit, planned: Edit | None, encoding: DataSetEncoding) -> bool:
    """Return whether an edit writes what is written without it."""
    if not isinstance(edit, SetAttribute) or not isinstance(planned, SetAttribute):
        return planned is None
    return encode_element(edit, encoding) == encode_element(planned, encoding)


def _check_directory(data_set: DataSet, edited: Iterable[int]) -> None:
    """Raise InvalidOptionError if an attribute of a DICOMDIR would be set in another file."""
    if is_directory(data_set):
        return
    for tag in edited:
        if tag >> 16 == _DIRECTORY_GROUP:
            raise InvalidOptionError(
                "belongs to a DICOMDIR, and the file is not one", attribute=format_tag(tag)
            )


def _check_text(
    data_set: DataSet,
    options: ConversionOptions,
    removed: list[Edit],
    wanted: Mapping[int, str],
    warnings: list[str],
) -> None:
    """Check that text which stays as it is reads the same in the character set of the result.

    Text that the stated character set does not have may be put right by another one.

    Raises:
        InvalidOptionError: Specific Character Set is set or removed, and text would be lost.
    """
    changed = {edit.tag for edit in removed} | wanted.keys()
    if tags.SPECIFIC_CHARACTER_SET not in changed or options.charset is not None:
        return
    stated = wanted.get(tags.SPECIFIC_CHARACTER_SET, "")
    from dicodec.repair.character_sets import judge_character_set

    judged = judge_character_set(data_set, stated, changed)
    name = stated or "the default repertoire"
    for lost, what in (
        (judged.unreadable, f"is not in {name}"),
        (judged.changed, f"would read otherwise in {name}"),
    ):
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise InvalidOptionError(
                f"the text of {format_tag(lost[0])}{more} {what}",
                attribute="SpecificCharacterSet",
                hint='`charset="utf-8"` re-encodes all text, `charset="FROM:utf-8"` if its stated '
                "character set is wrong",
            )
    if judged.unknown:
        from dicodec.conversion.edits.text_encoding import warn_of_unknown_text

        warnings.append(warn_of_unknown_text([*map(format_tag, judged.unknown)]))


def check_user_edits(options: ConversionOptions) -> None:
    """Refuse edits that no file could take, before any file is opened.

    Raises:
        InvalidOptionError: see `make_user_edits`. The characters that a value may have, and whether
            it may be negative, is a file's own matter, and is not judged here.
    """
    if options.charset is not None:
        from dicodec.conversion.edits.text_encoding import find_declared_character_set

        find_declared_character_set(options.charset)
    _check_instance_is_named(options)
    _check_label_of_text(options)
    for name in options.remove_attributes:
        find_editable_tag(name)
    for name, text in options.set_attributes:
        tag = find_editable_tag(name)
        try:
            encode_user_value(tag, text, "ISO_IR 192", EXPLICIT_LITTLE, signed=False)
        except InvalidOptionError:
            encode_user_value(tag, text, "ISO_IR 192", EXPLICIT_LITTLE, signed=True)


def _check_instance_is_named(options: ConversionOptions) -> None:
    """Raise InvalidOptionError if the UIDs that name an instance would be empty or removed."""
    emptied = [name for name, text in options.set_attributes if not text.strip()]
    for name in (*emptied, *options.remove_attributes):
        tag = find_editable_tag(name)
        if tag in tags.META_COPIES.values():
            keyword = find_keyword(tag)
            raise InvalidOptionError(
                "the attribute cannot be empty or removed, because it names the instance",
                attribute=keyword,
                hint=f'`set_attributes={{"{keyword}": "UID"}}` gives another',
            )


def _check_label_of_text(options: ConversionOptions) -> None:
    """Raise InvalidOptionError if re-encoded text would get the label of another character set.

    Readers decode text by Specific Character Set alone (PS3.3 C.12.1.1.2).
    """
    if options.charset is None:
        return
    from dicodec.repair.character_sets import UTF_8

    labels = [(name, "") for name in options.remove_attributes]
    for name, label in (*labels, *options.set_attributes):
        is_label = find_editable_tag(name) == tags.SPECIFIC_CHARACTER_SET
        if is_label and label.strip() != UTF_8:
            raise InvalidOptionError(
                f"`charset={options.charset!r}` re-encodes all text, so it is {UTF_8} and "
                f"cannot be {label.strip() or 'empty or removed'}",
                attribute="SpecificCharacterSet",
                hint="leave out one of the two options",
            )


def find_user_tags(conversion: Conversion) -> frozenset[int]:
    """Return the attributes that the caller sets, removes, or has in another character set."""
    options = conversion.options
    names = *options.remove_attributes, *(name for name, _ in options.set_attributes)
    tags_of_user = frozenset(map(find_editable_tag, names))
    if options.charset is None:
        return tags_of_user
    from dicodec.conversion.edits.text_encoding import find_text_tags

    return tags_of_user | find_text_tags(conversion.edits)


def find_editable_tag(name: str) -> int:
    """Return the tag of an attribute that a user names, to set or to remove it.

    Raises:
        InvalidOptionError: no such attribute, or one that is not the user's to change.
    """
    tag = parse_tag(name)
    group = tag >> 16
    # Group Lengths are retired; groups 0 to 7 and FFFE are not elements of a data set, but for
    # group 4 in a DICOMDIR.
    outside = (group < _FIRST_GROUP and group != _DIRECTORY_GROUP) or group == DELIMITER_GROUP
    structural = not tag & 0xFFFF or outside
    if tag in _NOT_TO_EDIT or structural:
        raise InvalidOptionError(
            "the attribute follows from the pixels, the records or the transfer syntax, and cannot "
            "be set or removed",
            attribute=name if name.isalpha() else format_tag(tag),
        )
    return tag
