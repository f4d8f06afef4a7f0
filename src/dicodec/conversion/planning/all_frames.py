"""What the streams of all frames say, where the first one may not speak for the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicodec.errors import FrameMismatchError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import Loss, TransferSyntax
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.source import ByteSource
from dicodec.repair.stream_kinds import described_at
from dicodec.rules.color_space import coded_color_space

if TYPE_CHECKING:  # brings NumPy, which frames that are only moved do not need
    from dicodec.codecs.base import Decoder

_TRANSFORMING = frozenset({"jpeg2000", "htj2k"})


def judged_together(
    source: ByteSource,
    frames: EncapsulatedFrames | None,
    syntax: TransferSyntax,
    image: ImagePixelDescription,
    decoder: Decoder,
    first: StreamDescription,
) -> StreamDescription:
    """Return what the first stream says, lossy where that of any frame is.

    Streams may be lossy or not in some transfer syntaxes, those of JPEG-LS are under the UID of the
    lossless one too, and each of JPEG 2000 says for itself whether its components are transformed
    (PS3.5 8.2.4). Others are not looked at.

    Raises:
        FrameMismatchError: a frame would decode to another color space than the first.
    """
    if frames is None or len(frames) < 2:
        return first
    may_differ = first.lossless and (syntax.loss is Loss.POSSIBLE or first.kind == "jpeg-ls")
    colored = first.kind in _TRANSFORMING and first.components == 3
    if not may_differ and not colored:
        return first
    color = _decoded_color(image, decoder, first)
    for frame in range(1, len(frames)):
        fragments = frames.fragments_of(frame)
        if not fragments:  # the frame is lost, and filled
            continue
        fragment = fragments[0]
        stream = described_at(source, frames.starts[fragment], frames.lengths[fragment])
        if stream is None:  # its own error comes when it is decoded
            continue
        if may_differ and stream.lossless is False:
            first = replace(first, lossless=False)
            may_differ = False
        if colored and (other := _decoded_color(image, decoder, stream)) != color:
            raise FrameMismatchError(
                f"the frame decodes to {other} where the first one does to {color}",
                frame=frame,
                attribute="PhotometricInterpretation",
            )
        if not may_differ and not colored:
            break
    return first


def _decoded_color(
    image: ImagePixelDescription, decoder: Decoder, stream: StreamDescription
) -> str:
    coded = coded_color_space(image, stream).photometric_interpretation
    described = replace(image, photometric_interpretation=coded)
    return decoder.decoded_description(stream, described).photometric_interpretation
