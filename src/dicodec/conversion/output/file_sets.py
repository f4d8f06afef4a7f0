"""Find the DICOMDIR that names a file, and its record of the file (PS3.10 8, PS3.3 F.3.2.2)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path

from dicodec.errors import DicodecError
from dicodec.model.records import NamedTuple
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.directory_records import ReferencedFile, read_referenced_files

DIRECTORY_NAME = "DICOMDIR"
_DEEPEST = 8
_LONGEST = 8


class FileSetEntry(NamedTuple):
    """A file's entry in a file-set.

    Attributes:
        directory: path of the DICOMDIR.
        says: SOP Instance UID and transfer syntax of the file by its record.
    """

    directory: str
    says: ReferencedFile


def find_entry(path: str) -> FileSetEntry | None:
    """Return the entry of a file in the DICOMDIR of a folder above it; None if none names it."""
    if not _is_component(os.path.basename(path)):  # noqa: PTH119 - it is hot
        return None
    place = Path(os.path.abspath(path))  # noqa: PTH100 - links are not followed
    below = place
    for folder in islice(place.parents, _DEEPEST):
        if not _is_component(below.name):
            break
        below = folder
        directory = folder / DIRECTORY_NAME
        try:
            found = directory.stat()
        except OSError:
            continue
        known = _read_directory(str(directory), found.st_size, found.st_mtime_ns)
        name = tuple(part.upper() for part in place.relative_to(folder).parts)
        if (says := known.get(name)) is not None:
            return FileSetEntry(str(directory), says)
    return None


def _is_component(name: str) -> bool:
    """Return whether a name can be a component of a File ID (PS3.10 8.2, 8.5).

    Other names are not looked for, because each look takes a call of the operating system.
    """
    return len(name) <= _LONGEST and name.isascii() and name.replace("_", "0").isalnum()


@lru_cache(maxsize=8)
def _read_directory(
    path: str,
    size: int,  # noqa: ARG001 - of which version
    modified: int,  # noqa: ARG001
) -> Mapping[tuple[str, ...], ReferencedFile]:
    """Return the records of files in a DICOMDIR, by path from it; none if it is not a DICOMDIR."""
    try:
        with open_dicom(path) as file:
            return {one.path: one for one in read_referenced_files(file.data_set)}
    except DicodecError:
        return {}
