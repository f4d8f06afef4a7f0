"""Metadata and bulk data of an instance; the worker side (PS3.18 10.4.1.1.2, 10.4.1.1.5)."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress

from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.calls import convert
from dicodec.errors import DicodecError, LimitExceededError, MissingFrameError
from dicodec.images.single_frame import make_single_frame
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import EXPLICIT_LE
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile, open_dicom
from dicodec.service.dicomweb.dicom_json import find_element_vr, make_json, to_little_endian
from dicodec.service.dicomweb.opened_files import InstancePlace, get_opened_files

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_RETRIEVE_URL = 0x00081190


@dataclass(frozen=True, slots=True)
class MetadataItem:
    """The metadata that are asked for.

    Attributes:
        place: the instance.
        url: its URL.
    """

    place: InstancePlace
    url: str


def write_metadata(settings: None, item: MetadataItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Return the metadata of an instance as JSON; a work of the pool.

    Image attributes describe the frames as they are sent by default, in Explicit VR Little Endian:
    a JPEG stream in YBR_FULL_422 has other samples once it is decoded.

    Raises:
        ReadError: the file cannot be read.
    """
    file = get_opened_files().open(item.place).file
    replaced: dict[int, dict[str, Any]] = {
        _RETRIEVE_URL: {"vr": "UR", "Value": [item.url]},
        tags.AVAILABLE_TRANSFER_SYNTAX_UID: {"vr": "UI", "Value": [file.syntax.uid]},
    }
    image = _describe_decoded(file)
    if image is not None:
        replaced |= _write_image(image)
    found = make_json(file.data_set, f"{item.url}/bulkdata", replaced)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _describe_decoded(file: DicomFile) -> ImagePixelDescription | None:
    """Return the description of native frames; None if it is that of the stored ones."""
    stored = file.frames.description
    if stored is None or file.frames.encapsulated is None or stored.samples_per_pixel == 1:
        return stored if file.corrections else None
    out = io.BytesIO()
    with suppress(DicodecError):
        convert(make_single_frame(file, 0), out, to=EXPLICIT_LE.uid)
        with open_dicom(out.getvalue()) as made:
            return made.frames.description
    return None


def _write_image(image: ImagePixelDescription) -> dict[int, dict[str, Any]]:
    numbers = {
        tags.SAMPLES_PER_PIXEL: image.samples_per_pixel,
        tags.BITS_ALLOCATED: image.bits_allocated,
        tags.BITS_STORED: image.bits_stored,
        tags.HIGH_BIT: image.high_bit,
        tags.PIXEL_REPRESENTATION: image.pixel_representation,
    }
    if image.samples_per_pixel > 1:
        numbers[tags.PLANAR_CONFIGURATION] = image.planar_configuration
    found: dict[int, dict[str, Any]] = {
        tag: {"vr": "US", "Value": [number]} for tag, number in numbers.items()
    }
    color = image.photometric_interpretation
    found[tags.PHOTOMETRIC_INTERPRETATION] = {"vr": "CS", "Value": [color]}
    return found


@dataclass(frozen=True, slots=True)
class BulkItem:
    """A value that is asked for.

    Attributes:
        place: the instance.
        path: tag, and then number of an item, from 1, and tag, as often as it is nested.
    """

    place: InstancePlace
    path: Sequence[int]


def read_bulk(settings: None, item: BulkItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Return a value in little endian; a work of the pool.

    Raises:
        ReadError: the file cannot be read.
        MissingFrameError: there is no such value.
    """
    file = get_opened_files().open(item.place).file
    level: DataSet | None = file.data_set
    *outer, tag = item.path
    for sequence, number in zip(outer[::2], outer[1::2], strict=True):
        assert level is not None
        items = enumerate(level.read_items(sequence), start=1)
        level = next((one for index, one in items if index == number), None)
        if level is None:
            break
    span = None if level is None else level.find(tag)
    if level is None or span is None:
        raise MissingFrameError("the instance has no such value")
    if span.length > level.limits.element_size:
        raise LimitExceededError(f"the value has {span.length} bytes")
    signed = file.data_set.read_number(tags.PIXEL_REPRESENTATION) == 1
    vr = find_element_vr(span, signed=signed)
    return to_little_endian(level, span, vr, level.read_raw_value(span))
