"""Correct a Photometric Interpretation that the streams contradict (PS3.5 8.2.1, 8.2.4).

Frames that are decoded are read as their streams say, and the result is described so. A label
beside streams that only move is another's statement: it is corrected only if a file is
standardized.
"""

from __future__ import annotations

from dicodec.codecs.table import find_decoder
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import replace
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import Frames
from dicodec.repair.image_attributes import Known, make_corrections
from dicodec.rules.color_space import ColorSpace, decide_color_space

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # few files need a codec here
    from dicodec.codecs.base import Decoder
    from dicodec.model.image import ImagePixelDescription


def correct_color_label(file: DicomFile) -> DicomFile:
    """Return a file whose Photometric Interpretation is that of its streams, if it was not.

    Frames that differ, or one that cannot be read, leave the file as it is.
    """
    frames = file.frames
    image = frames.description
    if image is None or frames.encapsulated is None or not file.syntax.reads:
        return file
    if image.samples_per_pixel == 1:
        return file
    decoder = find_decoder(file.syntax)
    try:
        color = _decide(frames, frames.first_whole, decoder, image)
        left_out = frames.filled | frames.without_bytes
        numbers = range(frames.first_whole + 1, len(frames.encapsulated))
        others = (number for number in numbers if number not in left_out)
        if not color.reason or any(
            _decide(frames, number, decoder, image) != color for number in others
        ):
            return file
    except DicodecError:
        return file
    coded = color.photometric_interpretation
    known: Known = {tags.PHOTOMETRIC_INTERPRETATION: coded}
    text = f"taken as {coded}: {color.reason}"
    return replace(
        file,
        frames=replace(frames, description=replace(image, photometric_interpretation=coded)),
        oddities=(*file.oddities, Oddity(OddityId.WRONG_ATTRIBUTE, text, frames.span.start)),
        corrections=(*file.corrections, *make_corrections(file.data_set, known)),
    )


def _decide(
    frames: Frames, frame: int, decoder: Decoder, image: ImagePixelDescription
) -> ColorSpace:
    return decide_color_space(image, decoder.describe(frames.read(frame)))
