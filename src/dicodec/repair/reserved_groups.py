"""Elements of groups 0000 and 0002 that begin a data set: those of commands and of file meta.

A group length before them, which no result has, begins it as little.

Behind File Meta Information they would be taken for a part of it: a reader that does not go by
its length takes a Transfer Syntax UID among them for the file's.
"""

from __future__ import annotations

from dicodec.model.findings import OddityId
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.encoding import RESERVED_GROUPS, format_tag
from dicodec.repair.oddity_notes import Notes


def leave_out_reserved_groups(file: DicomFile) -> DicomFile:
    """Return a file whose data set has no elements of RESERVED_GROUPS (PS3.5 7.1)."""
    given = file.data_set
    notes = Notes()
    kept = []
    for span in given.elements:
        if span.tag >> 16 in RESERVED_GROUPS:
            text = f"{format_tag(span.tag)} is in the data set"
            notes.add(OddityId.RESERVED_GROUP, text, span.start)
        else:
            kept.append(span)
    if len(kept) == len(given.elements):
        return file
    data_set = DataSet(given.source, given.encoding, kept, given.limits, given.ends)
    return replace(file, data_set=data_set, oddities=(*file.oddities, *notes.list_oddities()))
