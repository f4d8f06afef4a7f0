"""What a planned conversion leaves out of Pixel Data, which may not be lost with an original."""

from __future__ import annotations

from dicodec.errors import ContradictionError
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.native_frames import NativeFrames
from dicodec.part10.source import read_chunks
from dicodec.planning.conversion_plan import Action, ConversionPlan


def check_nothing_left_out(file: DicomFile, plan: ConversionPlan) -> None:
    """Check that no bytes behind the frames are lost where the source is replaced.

    Raises:
        ContradictionError: some would be, and they are more than zeros.
    """
    pixels, pixel_data = plan.pixels, file.pixel_data
    kept = plan.action in {Action.MOVE_VALUE, Action.COPY_FILE}
    if pixels is None or pixel_data is None or pixel_data.frames is not None or kept:
        return
    span = pixel_data.span
    frames = NativeFrames(span, pixel_data.image, swapped_words=False).expected_length
    source, end = file.data_set.source, span.value + span.length
    if any(any(chunk) for chunk in read_chunks(source, span.value + frames, end)):
        raise ContradictionError(
            f"Pixel Data has {span.length - frames} bytes behind its frames, which would be lost",
            attribute="PixelData",
            offset=span.value + frames,
            hint="give the result a place of its own, or correct Number of Frames",
        )
