"""Check whether the size that streams state, against the data set, is that of their pixels.

A damaged header of a stream would state another size, too. The stream controls decoding
(PS3.5 8.2.1) only if its own data bears its header out.
"""

from __future__ import annotations

from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.part10.data_set import DataSet
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.repair.stream_kinds import describe_whole_stream
from dicodec.repair.streams import Decode, is_exactly_filled


def size_is_sure(
    data_set: DataSet,
    frames: EncapsulatedFrames,
    image: ImagePixelDescription,
    stream: StreamDescription,
    decode: Decode,
) -> bool:
    """Whether every frame has the size of the first, and the first really has that many pixels.

    Args:
        data_set: the data set as it is.
        frames: the frames.
        image: as the first stream describes it.
        stream: the first one.
        decode: decodes a frame of that size.
    """
    source = data_set.source
    colored = image.photometric_interpretation.startswith(("RGB", "YBR"))
    if (image.samples_per_pixel == 3) != colored:
        return False
    if image.native_frame_bits // 8 > data_set.limits.frame_size:
        return False
    size = (stream.kind, stream.rows, stream.columns, stream.components)
    try:
        for frame in range(len(frames)):
            one = describe_whole_stream(frames.read_stored(source, frame))
            if one is None or (one.kind, one.rows, one.columns, one.components) != size:
                return False
        first = frames.read_stored(source, 0)
        decode(first)
    except DicodecError:
        return False
    if stream.kind in {"jpeg2000", "htj2k"}:  # states its size twice, the second as its tile's
        return len(frames) > 1 or "tile_size" not in stream.details
    if stream.kind == "jpegxl":
        return True
    if len(frames) == 1 and _has_as_many_blocks(data_set, stream):
        return False
    return is_exactly_filled(first, decode, stream.kind)


def _has_as_many_blocks(data_set: DataSet, stream: StreamDescription) -> bool:
    """Whether the size that is stated takes as many blocks of a DCT as that of the stream."""
    if stream.predictor is not None or stream.kind != "jpeg":
        return False
    stated = (data_set.read_number(tags.COLUMNS) or 0, data_set.read_number(tags.ROWS) or 0)
    coded = (stream.columns or 0, stream.rows or 0)
    blocks = (8 * max(factors[axis] for factors in stream.subsampling) for axis in (0, 1))
    return all(
        -(-one // block) == -(-other // block)
        for one, other, block in zip(stated, coded, blocks, strict=True)
    )
