"""Encode one frame of a file as a stream of a transfer syntax, in a process of the pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicodec.batch.pool.messages import WorkContext
from dicodec.images.encode_frame import encode_frame
from dicodec.images.image import Image
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath, open_beneath
from dicodec.service.web.preview import check_frame


@dataclass(frozen=True, slots=True)
class FrameItem:
    """One frame to encode.

    Attributes:
        place: place of the file.
        frame: number of the frame, from 0.
        to: UID of the transfer syntax.
        options: options of the conversion by name.
    """

    place: Beneath
    frame: int
    to: str
    options: Mapping[str, Any]


def encode_chosen_frame(settings: None, item: FrameItem, context: WorkContext) -> bytes:  # noqa: ARG001
    """Return the stream of a frame; a work of the pool.

    It is the stored stream, if that is in the transfer syntax and nothing else is asked for.

    Raises:
        ReadError: the file or the frame cannot be read.
        UnsupportedSourceError: there is no such frame.
        ConversionError: it cannot be encoded as requested.
    """
    with open_beneath(item.place) as source, Image(source, item.place.path) as image:
        check_frame(image, item.frame)
        if image.transfer_syntax.uid == item.to and not item.options:
            return image.frame_bytes(item.frame)
        described = image.description
        samples = image.read_frame(item.frame)
    encoded = encode_frame(
        samples,
        to=item.to,
        photometric_interpretation=described.photometric_interpretation,
        bits_stored=None if described.floating else described.bits_stored,
        **item.options,
    )
    return encoded.stream
