"""Open a source for a conversion: a file, a member of an archive, or an object."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from dicodec.batch.sources.references import SourceReference
from dicodec.model.platforms import OPENS_FOLDERS
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.beneath import open_beneath, open_found

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.part10.dicom_file import Source


def open_source(reference: SourceReference) -> AbstractContextManager[Source]:
    """Open a source: the value is a path, the stream of a member, or an open object.

    A file that was found in a folder, or that a job names, is opened once, here; the value is then
    the path of the open file, whatever happens to its name.

    Raises on entry:
        PathNotAllowedError: such a file is not a regular one, or not beneath its root.
        ReadError: a file, an archive, a member or an object cannot be read.
    """
    if is_object_url(reference.path):
        from dicodec.batch.sources.cloud_source import open_object

        return open_object(parse_object_url(reference.path))
    if reference.spool is not None:
        return nullcontext(reference.spool)
    if reference.member is not None:
        from dicodec.batch.sources.archives import open_member

        return open_member(reference)
    if OPENS_FOLDERS and (place := reference.place) is not None:
        return open_beneath(place)
    if not reference.named:
        return open_found(reference.path)
    return nullcontext(reference.path)
