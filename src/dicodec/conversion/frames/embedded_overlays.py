"""Overlays in bits of Pixel Data as elements of their own, to be compared with such elements."""

from __future__ import annotations

from dicodec.conversion.frames.first_pass import make_embedded_overlay_edits
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.planning.conversion_plan import EmbeddedOverlay
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.image_attributes import find_embedded_overlays


class FreedOverlays:
    """The elements of a file's embedded overlays, once they are taken out of Pixel Data.

    Args:
        file: the open file.
    """

    def __init__(self, file: DicomFile) -> None:
        self._file = file
        self._edits: dict[int, Edit] | None = None

    def edit(self, tag: int) -> Edit | None:
        """Return the new form of an element of an embedded overlay; None if it is another's.

        Raises:
            ReadError: a frame cannot be decoded.
        """
        if tag >> 16 not in tags.OVERLAY_GROUPS:
            return None
        if self._edits is None:
            self._edits = {edit.tag: edit for edit in self._make_all()}
        return self._edits.get(tag)

    def _make_all(self) -> list[Edit]:
        file, image = self._file, self._file.frames.description
        if image is None or not file.syntax.reads:
            return []
        overlays = [
            EmbeddedOverlay(group, bit)
            for group, bit in find_embedded_overlays(file.read_number, file.data_set.find)
            if image.overlay_bits >> bit & 1
        ]
        if not overlays:
            return []
        return make_embedded_overlay_edits(file, image, overlays, count_cores(), little_endian=True)
