"""Describe edits for the report: changed attributes, instance UIDs, names of interpretations."""

from __future__ import annotations

from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.image import YBR_PARTIAL, ImagePixelDescription
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.encoding import format_tag


def name_in_data_sets(image: ImagePixelDescription) -> str:
    """Return the Photometric Interpretation by the name that data sets have for it."""
    name = image.photometric_interpretation
    return "YBR_PARTIAL_422" if name == YBR_PARTIAL else name


def find_instance_uids(file: DicomFile, edits: tuple[Edit, ...]) -> tuple[str, str] | None:
    """Return the SOP Instance UIDs before and after; None if they are the same."""
    for edit in edits:
        if isinstance(edit, SetAttribute) and edit.tag == tags.SOP_INSTANCE_UID:
            value = edit.value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            before, after = file.data_set.read_text(edit.tag), text.strip("\0 ")
            return (before, after) if before != after else None
    return None


def describe_changes(file: DicomFile, edits: tuple[Edit, ...]) -> list[str]:
    """Describe the changes of edits to a data set, one line each."""
    changes: list[str] = []
    for edit in edits:
        name = find_keyword(edit.tag) or format_tag(edit.tag)
        present = file.data_set.find(edit.tag) is not None
        if not isinstance(edit, RemoveAttribute):
            changes.append(f"{name} {'changed' if present else 'added'}")
        elif present:
            changes.append(f"{name} removed")
    return changes
