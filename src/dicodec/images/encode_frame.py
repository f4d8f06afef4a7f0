"""Encode the samples of one frame as a stream of any transfer syntax."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Unpack

from dicodec.conversion.calls import convert_bytes
from dicodec.errors import SampleRangeError, UnsupportedImageError
from dicodec.images.image import Image
from dicodec.model import tags
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.model.edits import SetAttribute
from dicodec.model.image import SAMPLES_PER_PIXEL, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import NamedTuple
from dicodec.options import Targets
from dicodec.part10.edit_bytes import encode_element
from dicodec.part10.encoding import EXPLICIT_LITTLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
else:
    np = import_late("numpy")

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_FLOATING = {32: tags.FLOAT_PIXEL_DATA, 64: tags.DOUBLE_FLOAT_PIXEL_DATA}


class EncodedFrame(NamedTuple):
    """A frame's stream, and the image that a data set has to describe it as.

    Attributes:
        stream: one whole frame; of even length.
        description: its Photometric Interpretation, bits and planes may differ from those given.
    """

    stream: bytes
    description: ImagePixelDescription


def encode_frame(
    samples: ArrayLike,
    *,
    to: Targets,
    photometric_interpretation: str | None = None,
    bits_stored: int | None = None,
    **options: Unpack[ConversionSettings],
) -> EncodedFrame:
    """Encode the samples of one frame, as a conversion of a file with this frame would.

        encoded = dicodec.encode_frame(samples, to="htj2k-lossless", bits_stored=12)

    Args:
        samples: array of shape (rows, columns), or (rows, columns, 3); of bool, of whole numbers of
            8, 16 or 32 bits, or of floating point numbers.
        to: the transfer syntax, or acceptable ones, the first preferred.
        photometric_interpretation: that of the samples; None for MONOCHROME2, or RGB of three
            samples a pixel.
        bits_stored: 1 to 32; None for all bits of the array's type.
        **options: fields of ConversionOptions: `quality`, `lossy`, `photometric`, `verify`, ...

    Raises:
        UnsupportedImageError: there is no such image, or no target can hold it.
        SampleRangeError: a sample does not fit into `bits_stored`.
        ConversionError: as of `convert`.
    """
    array = np.ascontiguousarray(samples)
    image = _describe(array, photometric_interpretation, bits_stored)
    converted = convert_bytes(_make_file(array, image), to=to, **options)
    with Image(converted) as made:
        return EncodedFrame(made.frame_bytes(0), made.file.frames.image)


def _describe(
    array: NDArray[np.generic], photometric: str | None, bits_stored: int | None
) -> ImagePixelDescription:
    """Return the description of an array as an image.

    Raises:
        UnsupportedImageError, SampleRangeError: as of `encode_frame`.
    """
    shape = array.shape if array.ndim > 2 else (*array.shape, 1)
    kind = array.dtype.kind
    if len(shape) != 3 or kind not in "biuf" or not all(0 < side < 1 << 16 for side in shape):
        raise UnsupportedImageError(
            f"an array of {array.dtype} and shape {array.shape} is not a frame",
            hint="its shape is (rows, columns) or (rows, columns, samples)",
        )
    stated = photometric or ("RGB" if shape[2] == 3 else "MONOCHROME2")
    if SAMPLES_PER_PIXEL.get(stated) != shape[2]:
        raise UnsupportedImageError(
            f"{stated} does not have {shape[2]} samples a pixel",
            attribute="PhotometricInterpretation",
        )
    allocated = 1 if kind == "b" else array.dtype.itemsize * 8
    stored = allocated if bits_stored is None else bits_stored
    fits = allocated in _FLOATING and stored == allocated if kind == "f" else allocated <= 32
    if not fits or not 1 <= stored <= allocated:
        raise UnsupportedImageError(
            f"{stored} bits stored of {array.dtype} are not an image", attribute="BitsStored"
        )
    image = ImagePixelDescription(
        rows=shape[0],
        columns=shape[1],
        samples_per_pixel=shape[2],
        photometric_interpretation=stated,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1,
        pixel_representation=int(kind == "i"),
        floating=kind == "f",
    )
    if kind in "iu":
        low, high = image.sample_range
        smallest, largest = int(array.min()), int(array.max())
        if smallest < low or largest > high:
            raise SampleRangeError(
                f"samples are {smallest} to {largest}, and {stored} bits hold {low} to {high}"
            )
    return image


def _make_file(array: NDArray[np.generic], image: ImagePixelDescription) -> bytes:
    """Return a native file of one frame, without File Meta Information."""
    numbers = {
        tags.SAMPLES_PER_PIXEL: image.samples_per_pixel,
        tags.PLANAR_CONFIGURATION: 0,
        tags.ROWS: image.rows,
        tags.COLUMNS: image.columns,
        tags.BITS_ALLOCATED: image.bits_allocated,
        tags.BITS_STORED: image.bits_stored,
        tags.HIGH_BIT: image.high_bit,
        tags.PIXEL_REPRESENTATION: image.pixel_representation,
    }
    if image.samples_per_pixel == 1:
        del numbers[tags.PLANAR_CONFIGURATION]
    if image.bits_allocated == 1:
        content, tag, vr = (
            np.packbits(array.astype(np.uint8), bitorder="little").tobytes(),
            tags.PIXEL_DATA,
            "OB",
        )
    else:
        content = array.astype(image.dtype, copy=False).tobytes()
        tag = _FLOATING[image.bits_allocated] if image.floating else tags.PIXEL_DATA
        wide = {tags.FLOAT_PIXEL_DATA: "OF", tags.DOUBLE_FLOAT_PIXEL_DATA: "OD"}
        vr = wide.get(tag, "OB" if image.bits_allocated == 8 else "OW")
    if image.floating:
        for one in (tags.BITS_STORED, tags.HIGH_BIT, tags.PIXEL_REPRESENTATION):
            del numbers[one]
    edits = [
        SetAttribute(tags.SOP_CLASS_UID, "UI", _SECONDARY_CAPTURE),
        SetAttribute(tags.SOP_INSTANCE_UID, "UI", f"2.25.{uuid.uuid4().int}"),
        SetAttribute(tags.PHOTOMETRIC_INTERPRETATION, "CS", image.photometric_interpretation),
        *(SetAttribute(one, "US", (number,)) for one, number in numbers.items()),
        SetAttribute(tag, vr, content),
    ]
    edits.sort(key=lambda edit: edit.tag)
    return b"".join(encode_element(edit, EXPLICIT_LITTLE) for edit in edits)
