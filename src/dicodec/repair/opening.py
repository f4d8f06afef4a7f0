"""Open a file, applying every known repair."""

from __future__ import annotations

from contextlib import AbstractContextManager

from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.part10.data_set import WalkedDataSet
from dicodec.part10.dicom_file import DicomFile, Repairs, Source, open_dicom
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.encoding import RESERVED_GROUPS, DataSetEncoding
from dicodec.part10.frames import Frames
from dicodec.part10.source import ByteSource
from dicodec.rules.color_space import colors_agree

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.part10.remembered import Remembered

_NO_TAG = 0xFFFFFFFF

_JUDGED = frozenset({OddityId.MISSING_ATTRIBUTE, OddityId.OVERLAY_IN_SAMPLES})
"""Oddities of a description that the pixels may tell more of."""


class StandardRepairs(Repairs):
    """All repairs that are known; those that are seldom needed are imported then.

    Args:
        salvage: whether a file may end inside an element that follows Pixel Data.
    """

    prove = True

    def __init__(self, *, salvage: bool = False) -> None:
        self._salvage = salvage

    def is_deflated(
        self, source: ByteSource, start: int, oddities: list[Oddity], *, stated: bool
    ) -> bool:
        """Return whether a data set is deflated: see `Repairs`."""
        from dicodec.repair.deflated_data_sets import detect_deflate

        return detect_deflate(source, start, oddities, stated=stated)

    def walk(
        self, source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
    ) -> WalkedDataSet | None:
        """Return the repaired data set: see `Repairs`."""
        from dicodec.repair.tolerant_walk import walk_tolerantly

        walked = walk_tolerantly(source, start, encoding, limits)
        if walked is None and self._salvage:
            from dicodec.repair.cut_data_set import walk_to_the_cut

            return walk_to_the_cut(source, start, encoding, limits)
        return walked

    def find_syntax(
        self,
        stated: str,
        syntax: TransferSyntax | None,
        walked: WalkedDataSet,
        span: ElementSpan | None,
        oddities: list[Oddity],
    ) -> TransferSyntax | None:
        """Return the transfer syntax by the bytes of Pixel Data: see `Repairs`."""
        if span is None:
            if syntax is not None or not stated:
                return None
            from dicodec.repair.encapsulation import find_syntax_without_pixels

            return find_syntax_without_pixels(stated, walked.data_set.encoding, oddities)
        if syntax is not None and syntax.encapsulated == span.undefined:
            return None  # the kind of stream is judged once everything is read
        from dicodec.repair.encapsulation import recognize_syntax

        return recognize_syntax(stated, syntax, walked, span, oddities)

    def complete(self, file: DicomFile, walked: WalkedDataSet) -> DicomFile:
        """Return the file with the repairs that need all of it: see `Repairs`."""
        elements = file.data_set.elements
        first = elements[0].tag if elements else _NO_TAG
        if first >> 16 in RESERVED_GROUPS or not first & 0xFFFF:  # no result has a group length
            from dicodec.repair.reserved_groups import leave_out_reserved_groups

            file = leave_out_reserved_groups(file)
        if file.oddities or not file.frames.present:
            from dicodec.repair.vendors import translate_vendor_file

            file = translate_vendor_file(file)
        if not file.frames.present or (file.frames.empty and not any(walked.fragment_lengths)):
            return file
        judged = any(one.id in _JUDGED for one in file.oddities)
        if _is_as_described(file.frames) and not judged:
            return file
        from dicodec.repair.pixel_data import repair_pixel_data

        return repair_pixel_data(file, walked)


def _is_as_described(frames: Frames) -> bool:
    """Whether native Pixel Data has the length that its frames take, usual High Bit and colors."""
    image = frames.description
    if image is None or frames.native is None or image.high_bit >= image.bits_stored:
        return False
    if frames.span.vr == "UN" and not frames.syntax.little_endian:
        return False
    return frames.excess in {0, 1} and colors_agree(image, frames.syntax.family)


_REPAIRS = StandardRepairs()
_SALVAGE = StandardRepairs(salvage=True)


def open_tolerantly(
    source: Source,
    limits: Limits = DEFAULT_LIMITS,
    *,
    salvage: bool = False,
    images: Remembered | None = None,
) -> AbstractContextManager[DicomFile]:
    """Open a DICOM file as `open_dicom` does, applying every repair that invents nothing.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on the file's claims.
        salvage: whether it may end inside an element that follows Pixel Data.
        images: descriptions of the images of other files; that of this one is looked for there.

    Raises on entry:
        ReadError: the finer kinds name the fault, with the byte offset.
    """
    return open_dicom(source, limits, _SALVAGE if salvage else _REPAIRS, images)
