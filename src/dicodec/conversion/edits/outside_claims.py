"""Warn of claims by others about a source that are not true of its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dicodec.conversion.output.file_sets import find_entry
from dicodec.conversion.planning.conversion_plan import Conversion
from dicodec.model import tags
from dicodec.model.edits import SetSequence
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.directory_records import is_directory
from dicodec.report import WarningKind

type InstanceUids = tuple[str, str] | None
"""SOP Instance UIDs of source and result; None if they are the same."""


def list_untrue_claims(
    conversion: Conversion, given: DicomFile, renewed: InstanceUids, places: Iterable[str]
) -> Mapping[WarningKind, list[str]]:
    """Return the warnings of a conversion that changes more than its own file shows.

    Args:
        conversion: the planned one.
        given: the source as it was opened, before it was standardized.
        renewed: see `InstanceUids`.
        places: paths of the result and of the source, if they are files.
    """
    return {
        WarningKind.SIGNATURE: _describe_signatures(conversion, given),
        WarningKind.CONCATENATION: _describe_concatenation(given.data_set, renewed),
        WarningKind.FILE_SET: _describe_file_set(conversion, renewed, places),
    }


def _describe_signatures(conversion: Conversion, given: DicomFile) -> list[str]:
    """Return a warning for each Digital Signature that no longer holds."""
    at_top = given.data_set.find(tags.DIGITAL_SIGNATURES_SEQUENCE) is not None
    if not at_top and not any(isinstance(edit, SetSequence) for edit in conversion.edits):
        return []
    from dicodec.conversion.edits.signatures import list_broken_signatures

    return list_broken_signatures(conversion.file, given, conversion.plan, conversion.edits)


def _describe_concatenation(data_set: DataSet, renewed: InstanceUids) -> list[str]:
    """Return a warning if one part of a concatenation becomes another image (C.7.6.16.2.2.4)."""
    if renewed is None or not data_set.has_value(tags.CONCATENATION_UID):
        return []
    number = data_set.read_number(tags.IN_CONCATENATION_NUMBER)
    text = (
        f"the source is part {'?' if number is None else number} of the concatenation "
        f"{data_set.read_text(tags.CONCATENATION_UID)}, and the result is another image: "
        "all parts have to be converted alike"
    )
    return [text]


def _describe_file_set(
    conversion: Conversion, renewed: InstanceUids, places: Iterable[str]
) -> list[str]:
    """Return a warning if a DICOMDIR names a place by other UIDs than those of the result."""
    plan, data_set = conversion.plan, conversion.file.data_set
    if (plan.source == plan.target and renewed is None) or is_directory(data_set):
        return []
    for place in dict.fromkeys(places):
        if (entry := find_entry(place)) is None:
            continue
        instance = data_set.read_text(tags.SOP_INSTANCE_UID) if renewed is None else renewed[1]
        stated = {
            "SOP Instance UID": (entry.says.instance_uid, instance),
            "Transfer Syntax UID": (entry.says.syntax_uid, plan.target.uid),
        }
        stale = [name for name, (says, real) in stated.items() if says not in {"", real}]
        if stale:
            others = " and another ".join(stale)
            return [f"{entry.directory} states another {others} for {place} than the result has"]
    return []
