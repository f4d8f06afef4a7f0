"""What a planned conversion leaves out or makes untrue, which may not be lost with an original."""

from __future__ import annotations

from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.errors import ContradictionError, UnsupportedImageError
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.native_frames import native_frames_of
from dicodec.part10.source import read_chunks

_DIRECTORY_RECORDS = 0x00041220


def moved_records(file: DicomFile, plan: ConversionPlan) -> str:
    """Return in words what becomes of a DICOMDIR's offsets; "" where nothing moves or is none.

    They are counted from the first byte of the file (PS3.3 F.3.2.2), and are not computed anew.
    """
    if plan.action is Action.COPY_FILE or file.data_set.find(_DIRECTORY_RECORDS) is None:
        return ""
    return (
        "a DICOMDIR says at which byte its records are, and they move: its offsets are those of "
        "the source, and readers that follow them fail"
    )


def check_nothing_left_out(file: DicomFile, plan: ConversionPlan) -> None:
    """Check that nothing is lost where the source is replaced.

    Raises:
        UnsupportedImageError: it is a DICOMDIR whose records would move.
        ContradictionError: bytes behind the frames would be lost, and they are more than zeros.
    """
    if moved := moved_records(file, plan):
        raise UnsupportedImageError(moved, hint="tools that write file-sets make it anew")
    pixels, pixel_data = plan.pixels, file.pixel_data
    kept = plan.action in {Action.MOVE_VALUE, Action.COPY_FILE}
    if pixels is None or pixel_data is None or pixel_data.frames is not None or kept:
        return
    span = pixel_data.span
    frames = native_frames_of(file, pixel_data).expected_length
    source, end = file.data_set.source, span.value + span.length
    if any(chunk.count(0) < len(chunk) for chunk in read_chunks(source, span.value + frames, end)):
        raise ContradictionError(
            f"Pixel Data has {span.length - frames} bytes behind its frames, which would be lost",
            attribute="PixelData",
            offset=span.value + frames,
            hint="give the result a place of its own, or correct Number of Frames",
        )
