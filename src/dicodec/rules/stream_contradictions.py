"""Contradictions between a stream and its data set in size, sign or precision (PS3.5 8.2).

The Image Pixel Module shall be consistent with the stream. If it is not, the stream's explicit
values control decoding (8.2.1, 8.2.4). `color_space.py` decides about colors.
"""

from __future__ import annotations

from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple
from dicodec.model.stream import StreamDescription

_SIGN = {True: "two's complement", False: "unsigned"}


class Contradiction(NamedTuple):
    """One attribute with different values in data set and stream.

    Attributes:
        attribute: its keyword.
        reason: both values, in words.
        reading: how the samples are read all the same; "" if no reading is sure.
    """

    attribute: str
    reason: str
    reading: str


def find_contradictions(
    image: ImagePixelDescription, stream: StreamDescription
) -> tuple[Contradiction, ...]:
    """Return the stream's contradictions of its data set: sizes first, then sign, precision.

    Args:
        image: as the data set describes it.
        stream: as the first frame's stream describes itself; absent values are not compared.
    """
    found = [
        Contradiction(
            attribute, f"the stream's {attribute} is {coded}, the data set's {stated}", ""
        )
        for attribute, coded, stated in (
            ("Rows", stream.rows, image.rows),
            ("Columns", stream.columns, image.columns),
            ("SamplesPerPixel", stream.components, image.samples_per_pixel),
        )
        if coded is not None and coded != stated
    ]
    precision, stored = stream.precision, image.bits_stored
    if stream.signed is not None and stream.signed != image.signed:
        found.append(
            Contradiction(
                "PixelRepresentation",
                f"the stream's samples are {'signed' if stream.signed else 'unsigned'}, and Pixel "
                f"Representation is {image.pixel_representation}",
                f"their {precision or stored} bits are read as {_SIGN[image.signed]}",
            )
        )
    if precision is not None and not _holds(stream, precision, stored):
        found.append(
            Contradiction(
                "BitsStored",
                f"the stream's samples have {precision} bits, and Bits Stored is {stored}",
                "values are read as they are coded, and have to lie within Bits Stored"
                if precision > stored
                else "values are read as they are coded, and Bits Stored stays",
            )
        )
    return tuple(found)


def _holds(stream: StreamDescription, precision: int, stored: int) -> bool:
    """Whether a precision is one that samples of Bits Stored are coded with.

    JPEG-LS and the lossless processes of JPEG and JPEG XL give back the words that were coded,
    whatever the precision, and readers need whole ones. JPEG 2000 and the DCT are of their
    precision (PS3.5 8.2.1, 8.2.4).
    """
    lossless = stream.kind in {"jpeg", "jpegxl"} and stream.lossless is not False
    words = lossless or stream.kind == "jpeg-ls"
    return precision == stored or (words and precision > stored)
