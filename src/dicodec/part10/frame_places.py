"""Where in the file a frame lies, for errors to name."""

from __future__ import annotations

from dicodec.errors import DicodecError
from dicodec.part10.dicom_file import DicomFile, PixelData
from dicodec.part10.spliced_source import SplicedSource


def placed(error: DicodecError, file: DicomFile, pixel_data: PixelData, frame: int) -> None:
    """Name the frame and the byte offset in an error that one frame brought.

    Args:
        error: of a codec, whose offset counts from the stream's start; or of a reader, which
            names the frame itself. Its offset is then left as it is.
        file: the file.
        pixel_data: its Pixel Data.
        frame: its number, from 0.
    """
    if error.frame is not None:
        return
    error.frame = frame
    error.offset = frame_offset(file, pixel_data, frame, error.offset or 0)


def frame_offset(file: DicomFile, pixel_data: PixelData, frame: int, within: int = 0) -> int | None:
    """Return the byte offset in the file of a frame's byte.

    None where the frame is not in the file as it is: it is missing, or the data set is deflated. Of
    a stream that had to be mended the start is given.

    Args:
        file: the file.
        pixel_data: its Pixel Data.
        frame: its number, from 0.
        within: bytes from the start of the frame.
    """
    frames = pixel_data.frames
    if frames is None:
        if isinstance(pixel_data.described, DicodecError):
            return None
        start = frame * pixel_data.described.native_frame_bits // 8
        if start > pixel_data.span.length:
            return None
        return _in_file(file, pixel_data.span.value + start + within)
    if frame >= len(frames) or not frames.fragments_of(frame):
        return None
    left = 0 if frames.mend is not None else within
    parts = frames.fragments_of(frame)
    for index in parts:
        if left < frames.lengths[index] or index == parts[-1]:
            return _in_file(file, frames.starts[index] + min(left, frames.lengths[index]))
        left -= frames.lengths[index]
    return None


def _in_file(file: DicomFile, offset: int) -> int | None:
    """Return an offset in the data set's bytes as one in the file's."""
    source = file.data_set.source
    # What was written anew in a repair lies behind what was right.
    kept = source is file.source or (isinstance(source, SplicedSource) and not file.syntax.deflated)
    return offset if kept and offset <= file.source.size else None
