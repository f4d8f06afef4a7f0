"""Find losses of a planned conversion that may not happen to an original that is replaced."""

from __future__ import annotations

from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.errors import ContradictionError, UnsupportedImageError
from dicodec.model import tags
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.source import read_chunks


def describe_moved_records(file: DicomFile, plan: ConversionPlan) -> str:
    """Return in words the fate of a DICOMDIR's offsets; "" if none move.

    They are counted from the first byte of the file (PS3.3 F.3.2.2), and are not computed anew.
    """
    if (
        plan.action is Action.COPY_FILE
        or file.data_set.find(tags.DIRECTORY_RECORD_SEQUENCE) is None
    ):
        return ""
    return (
        "a DICOMDIR holds the byte offsets of its records, and they move: its offsets are those of "
        "the source, and readers that follow them fail"
    )


def check_nothing_left_out(file: DicomFile, plan: ConversionPlan) -> None:
    """Check that nothing is lost if the source is replaced.

    Raises:
        UnsupportedImageError: it is a DICOMDIR whose records would move.
        ContradictionError: bytes behind the frames would be lost, and they are more than zeros.
    """
    if moved := describe_moved_records(file, plan):
        raise UnsupportedImageError(moved, hint="tools that write file-sets make it anew")
    kept = plan.action in {Action.MOVE_VALUE, Action.COPY_FILE}
    frames = file.frames
    if plan.pixels is None or frames.native is None or kept:
        return
    end = frames.span.value + frames.span.length
    start = end - frames.excess
    if any(chunk.count(0) < len(chunk) for chunk in read_chunks(frames.source, start, end)):
        raise ContradictionError(
            f"Pixel Data has {frames.excess} bytes behind its frames, which would be lost",
            attribute="PixelData",
            offset=start,
            hint="give the result a place of its own, or correct Number of Frames",
        )
