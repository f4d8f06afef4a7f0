"""Facts about the frames of an instance, from another server's metadata (PS3.18 F.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dicodec.model import tags
from dicodec.model.image import MONOCHROME, ImagePixelDescription
from dicodec.model.records import dataclass, replace
from dicodec.model.transfer_syntax import EXPLICIT_LE, TransferSyntax, find_by_uid
from dicodec.service.dicomweb.media_types import OCTETS, find_media_type
from dicodec.service.dicomweb.multipart_reader import read_parameter
from dicodec.service.dicomweb.sources import Target, is_uid

_SIZES = {8, 16, 32}
"""Bits Allocated of frames that begin and end with a byte."""

_LARGEST = 0xFFFF


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """What all frames of an instance have in common.

    Attributes:
        image: their description.
        sop_class: SOP Class UID.
        stored: UIDs of the transfer syntaxes that are available; empty if that is not said.
    """

    image: ImagePixelDescription
    sop_class: str
    stored: frozenset[str]

    @property
    def largest_part(self) -> int:
        """Bytes of a frame's stream at most: twice those of its samples, and its headers."""
        return 2 * self.image.native_frame_size + (1 << 16)

    def find_syntax(self, content_type: str, length: int) -> TransferSyntax | None:
        """Return the transfer syntax of a part, if what is said about it fits; else None.

        Args:
            content_type: of the part.
            length: bytes of the part.
        """
        media_type, uid = read_parameter(content_type, "transfer-syntax")
        row = find_by_uid(uid) if uid else EXPLICIT_LE
        if row is None or row.deflated or not (row.native or row.encapsulated):
            return None
        if media_type != OCTETS and (not uid or media_type != find_media_type(row)):
            return None
        if row.encapsulated:
            return row if length and (not self.stored or row.uid in self.stored) else None
        natives = [one is not None and one.native for one in map(find_by_uid, self.stored)]
        size = self.image.native_frame_size
        if not row.pixels_little_endian or length not in {size, size + size % 2}:
            return None
        return EXPLICIT_LE if all(natives) else None


def read_facts(body: bytes, target: Target) -> FrameFacts | None:
    """Return the facts in the metadata of an instance; None if frames are not sure by these alone.

    Only gray frames are: metadata describe colors as they are stored or as they are by default,
    and do not say which.

    Args:
        body: the metadata, in JSON.
        target: the instance.
    """
    try:
        (found,) = json.loads(body)
        return _read_facts(found, target)
    except (
        ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError
    ):  # fmt: skip
        return None


def _read_facts(found: Mapping[str, Any], target: Target) -> FrameFacts | None:
    uids = {
        tags.STUDY_INSTANCE_UID: target.study,
        tags.SERIES_INSTANCE_UID: target.series,
        tags.SOP_INSTANCE_UID: target.instance,
    }
    if any(_read(found, tag) != uid for tag, uid in uids.items()):
        return None
    if any(tag[:2] == "60" and tag[4:6] == "01" for tag in found):  # overlays in unused bits
        return None
    rows, columns, allocated, stored, high, sign, samples = (
        _read_number(found, tag)
        for tag in (
            tags.ROWS, tags.COLUMNS, tags.BITS_ALLOCATED, tags.BITS_STORED, tags.HIGH_BIT,
            tags.PIXEL_REPRESENTATION, tags.SAMPLES_PER_PIXEL,
        )
    )  # fmt: skip
    number = int(_read(found, tags.NUMBER_OF_FRAMES))
    color, sop_class = (
        _read(found, tags.PHOTOMETRIC_INTERPRETATION),
        _read(found, tags.SOP_CLASS_UID),
    )
    plain = (
        allocated in _SIZES and 1 <= stored <= allocated and high == stored - 1 and sign in {0, 1}
    )
    if not plain or samples != 1 or color not in MONOCHROME or not is_uid(sop_class):
        return None
    if not (0 < rows <= _LARGEST and 0 < columns <= _LARGEST and number > 0):
        return None
    image = ImagePixelDescription(
        rows, columns, 1, color, allocated, stored, high, sign, number_of_frames=number
    )
    lossy = _name(tags.LOSSY_IMAGE_COMPRESSION) in found
    if lossy and _read(found, tags.LOSSY_IMAGE_COMPRESSION) == "01":
        image = replace(image, lossy=True)
    available = found.get(_name(tags.AVAILABLE_TRANSFER_SYNTAX_UID), {}).get("Value", ())
    return FrameFacts(image, sop_class, frozenset(map(str, available)))


def _name(tag: int) -> str:
    return f"{tag:08X}"


def _read(found: Mapping[str, Any], tag: int) -> Any:
    return found[_name(tag)]["Value"][0]


def _read_number(found: Mapping[str, Any], tag: int) -> int:
    number = _read(found, tag)
    if not isinstance(number, int):
        raise TypeError
    return number
