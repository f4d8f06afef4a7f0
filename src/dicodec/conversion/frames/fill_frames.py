"""The frame that stands for one that is lost."""

from __future__ import annotations

from dicodec.codecs.base import Samples
from dicodec.codecs.table import find_decoder
from dicodec.conversion.planning.conversion_plan import PixelPlan
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.values import parse_values
from dicodec.pixels.photometric import apply_steps
from dicodec.rules.claimed_sizes import check_decoded_size
from dicodec.rules.stored_values import choose_fill_values

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

_FLOATING = {
    32: (tags.FLOAT_PIXEL_PADDING_VALUE, "FL"),
    64: (tags.DOUBLE_FLOAT_PIXEL_PADDING_VALUE, "FD"),
}
"""Float and Double Float Pixel Padding Value (PS3.3 C.7.6.24, C.7.6.25)."""


def encode_fill(file: DicomFile, pixels: PixelPlan) -> bytes:
    """Return the frame as the result stores it: one value, through the steps of the others.

    Raises:
        EncodeError: the codec library refused.
        LimitExceededError: the file is too small for a frame of that size.
    """
    return _encode(_make_filling(file, pixels), pixels)


def encode_start(file: DicomFile, pixels: PixelPlan, frame: int) -> bytes:
    """Return a native frame as the result stores it of which the first samples alone are there.

    Args:
        file: the source.
        pixels: the plan of its frames.
        frame: its number, from 0.

    Raises:
        ReadError: it cannot be read.
        EncodeError: the codec library refused.
    """
    native = file.frames.native
    assert native is not None, "only native frames have samples that can be counted"
    filling = _make_filling(file, pixels)  # whose size is checked first
    start, bits = native.read_start(file.frames.source, frame)
    size = (pixels.coded.native_frame_bits + 7) // 8
    decoder = find_decoder(file.syntax)
    given = decoder.decode(start.ljust(size, b"\0"), pixels.coded)
    every_bit = ((1 << bits) - 1).to_bytes(size, "little")
    there = decoder.decode(every_bit, pixels.coded) != 0
    return _encode(np.where(there, given, filling), pixels)


def _make_filling(file: DicomFile, pixels: PixelPlan) -> Samples:
    image = pixels.decoded
    check_decoded_size(image, file.data_set.limits)
    values = choose_fill_values(image, _read_padding(file, image))
    samples = np.empty(image.shape, image.dtype)
    samples[...] = values if image.samples_per_pixel > 1 else values[0]
    return samples


def _encode(samples: Samples, pixels: PixelPlan) -> bytes:
    samples = apply_steps(pixels.steps, samples, pixels.decoded)
    assert pixels.encoder is not None, "a plan that fills frames names its encoder"
    return bytes(pixels.encoder.encode(samples, pixels.prepared))


def _read_padding(file: DicomFile, image: ImagePixelDescription) -> float | None:
    """Return Pixel Padding Value, whose sign is that of the samples (C.7.5.1.1.2)."""
    tag, vr = tags.PIXEL_PADDING_VALUE, "SS" if image.signed else "US"
    if image.floating:
        tag, vr = _FLOATING[image.bits_allocated]
    raw = file.data_set.read_value(tag)
    if raw is None or len(raw) != {"FL": 4, "FD": 8}.get(vr, 2):
        return None
    (value,) = parse_values(vr, raw, file.data_set.encoding)
    return float(value) if image.floating else int(value)
