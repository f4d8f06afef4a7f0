"""Open a source for a conversion: a file, a member of an archive, or an object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.batch.sources.references import SourceReference
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.beneath import open_beneath, open_found

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.part10.dicom_file import Source


@contextmanager
def open_source(reference: SourceReference) -> Iterator[Source]:
    """Open a source: the value is a path, the stream of a member, or an open object.

    A file that was found in a folder, or that a job names, is opened once, here; the value is then
    the path of the open file, whatever happens to its name.

    Raises:
        PathNotAllowedError: such a file is not a regular one, or not beneath its root.
        ReadError: a file, an archive, a member or an object cannot be read.
    """
    if is_object_url(reference.path):
        from dicodec.batch.sources.cloud_source import open_object

        with open_object(parse_object_url(reference.path)) as opened:
            yield opened
    elif reference.spool is not None:
        yield reference.spool
    elif reference.member is not None:
        from dicodec.batch.sources.archives import open_member

        with open_member(reference) as stream:
            yield stream
    elif (place := reference.place) is not None:
        with open_beneath(place) as pinned:
            yield pinned
    elif not reference.named:
        with open_found(reference.path) as pinned:
            yield pinned
    else:
        yield reference.path
