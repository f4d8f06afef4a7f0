"""Files that a worker keeps open, so that the next frame of one costs no walk of its headers."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import ExitStack
from functools import cache

from dicodec.errors import DicodecError, SourceChangedError
from dicodec.images.image import Image
from dicodec.model import tags
from dicodec.model.records import dataclass
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.repair.opening import open_tolerantly

_MOST = 8
"""Files that are kept open. One of 100,000 frames takes 3 MB; of an object in a store, what was
fetched of it lies in memory up to 64 MB, else in a temporary file."""


@dataclass(frozen=True, slots=True)
class InstancePlace:
    """Where an instance is.

    Attributes:
        place: of a file beneath a root, or the URL of an object.
        version: text that differs when the content does; of a file it is looked up anew.
        instance: its SOP Instance UID; "" if any is right.
    """

    place: Beneath | str
    version: str
    instance: str


class OpenedFile:
    """A file that stays open, and its image if somebody wants to see it.

    Args:
        place: where it is.

    Raises:
        ReadError: it cannot be read.
    """

    def __init__(self, place: InstancePlace) -> None:
        self._stack = ExitStack()
        self._image: Image | None = None
        try:
            self._source: Source = self._open(place.place)
            self.file: DicomFile = self._stack.enter_context(open_tolerantly(self._source))
            self._instance = self.file.data_set.read_text(tags.SOP_INSTANCE_UID)
        except BaseException:
            self.close()
            raise

    def _open(self, place: Beneath | str) -> Source:
        if not isinstance(place, str):
            return self._stack.enter_context(open_beneath(place))
        from dicodec.batch.sources.cloud_source import open_object

        return self._stack.enter_context(open_object(parse_object_url(place)))

    def check_instance(self, uid: str) -> None:
        """Check that the file holds an instance; any is right if the UID is "".

        Raises:
            SourceChangedError: it holds another one.
        """
        if uid and uid != self._instance:
            raise SourceChangedError("the file holds another instance now")

    @property
    def source(self) -> Source:
        """The open source."""
        return self._source

    @property
    def image(self) -> Image:
        """The image, opened when it is first asked for.

        Raises:
            DicodecError: it cannot be decoded.
        """
        if self._image is None:
            self._image = Image(self._source, workers=1)
        return self._image

    def close(self) -> None:
        """Close the file."""
        if self._image is not None:
            self._image.close()
        self._stack.close()


class OpenedFiles:
    """The files that were used last. Used from one thread."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[object, ...], OpenedFile] = OrderedDict()

    def open(self, place: InstancePlace) -> OpenedFile:
        """Return an open file; it stays open until others were used.

        Raises:
            ReadError: it cannot be read, or is of another instance.
        """
        key = _identify(place)
        found = self._files.pop(key, None)
        if found is None:
            found = OpenedFile(place)
        self._files[key] = found
        while len(self._files) > _MOST:
            self._files.popitem(last=False)[1].close()
        found.check_instance(place.instance)
        return found

    def forget(self, place: InstancePlace) -> None:
        """Close a file, because reading it failed."""
        try:
            found = self._files.pop(_identify(place), None)
        except DicodecError:
            return
        if found is not None:
            found.close()


def _identify(place: InstancePlace) -> tuple[object, ...]:
    """Return what differs between files, and between states of one.

    Raises:
        ReadError: the file is not there any more.
    """
    if is_object_url(place.place):
        return (place.place, place.version)
    assert isinstance(place.place, Beneath)
    with open_beneath(place.place) as pinned:
        found = os.fstat(pinned.descriptor)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@cache
def get_opened_files() -> OpenedFiles:
    """Return the files of this process, which lasts as long as they may be open."""
    return OpenedFiles()
