"""Find losses of a planned conversion that may not happen to an original that is replaced."""

from __future__ import annotations

from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.errors import ContradictionError
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.source import read_chunks


def check_nothing_left_out(file: DicomFile, plan: ConversionPlan) -> None:
    """Check that nothing is lost if the source is replaced.

    Raises:
        ContradictionError: bytes behind the frames would be lost, and they are more than zeros.
    """
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
