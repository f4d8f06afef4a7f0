"""Find the facts of all frames that the header needs: overlays, range of values.

Few files need it. Of each frame a bit a pixel is kept, or two numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from dicodec.conversion.frames.frame_steps import FrameDecoder, make_frame_reader
from dicodec.conversion.frames.window import compute_size_in_flight, map_frames
from dicodec.conversion.planning.conversion_plan import (
    Action,
    ConversionPlan,
    EmbeddedOverlay,
    PixelPlan,
)
from dicodec.errors import TruncatedFrameError
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.findings import OddityId
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import replace
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.native_frames import BitJoiner
from dicodec.part10.reencode import swap_bytes
from dicodec.rules.overlays import make_overlay_edits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

_UNREAD = frozenset({Action.MOVE_VALUE, Action.MOVE_FRAMES})
"""Actions in which no codec looks at the frames."""


def complete_plan(file: DicomFile, plan: ConversionPlan, workers: int) -> ConversionPlan:
    """Return the plan, completed by facts that take reading all frames.

    Args:
        file: the open source.
        plan: the plan so far.
        workers: threads for frames.

    Raises:
        ReadError: a frame cannot be decoded.
    """
    pixels = plan.pixels
    if pixels is None:
        return plan
    if plan.action in _UNREAD and file.frames.encapsulated is not None:
        _check_end(file)
    if not pixels.overlays and not _lacks_window(pixels):
        return plan
    if _lacks_window(pixels):
        pixels = _with_window(file, pixels, workers)
    if pixels.overlays:
        found = make_embedded_overlay_edits(
            file, pixels.coded, pixels.overlays, workers, little_endian=plan.target.little_endian
        )
        pixels = replace(pixels, edits=(*pixels.edits, *found))
    return replace(plan, pixels=pixels)


def _check_end(file: DicomFile) -> None:
    """Find out whether the last frame has all its fragments, if nothing states that it has.

    Raises:
        ReadError: it has not, or nobody can tell.
    """
    if file.frames.salvage is not None or all(
        one.id != OddityId.NO_DELIMITER for one in file.oddities
    ):
        return
    last = file.frames.image.number_of_frames - 1
    if not file.syntax.reads:
        raise TruncatedFrameError(
            "the file ends before another fragment or the delimiter of Pixel Data",
            frame=last,
            offset=file.source.size,
        )
    decode, _ = make_frame_reader(file)
    decode(last)


def _lacks_window(pixels: PixelPlan) -> bool:
    if not pixels.steps:
        return False
    from dicodec.pixels.gray import Rescaling

    first = pixels.steps[0].apply
    return isinstance(first, Rescaling) and first.window is None


def _with_window(file: DicomFile, pixels: PixelPlan, workers: int) -> PixelPlan:
    """Let the window reach from the smallest to the largest sample that is not padding."""
    from dicodec.pixels.gray import Rescaling, StoredRange

    decoder, filled = FrameDecoder(file), file.frames.filled
    first, *others = pixels.steps
    assert isinstance(first.apply, Rescaling), "gray levels are rescaled before all else"
    rescaling = first.apply

    def find_extent(frame: int) -> StoredRange | None:
        return (
            None if frame in filled else rescaling.find_extent(decoder.decode(frame, pixels.coded))
        )

    size = compute_size_in_flight(pixels.decoded)
    with closing(map_frames(find_extent, pixels.frames, workers, size)) as found:
        extents = [one for one in found if one is not None]
    whole = StoredRange(
        min((one.low for one in extents), default=0), max((one.high for one in extents), default=0)
    )
    return replace(pixels, steps=(replace(first, apply=rescaling.with_whole_range(whole)), *others))


def make_embedded_overlay_edits(
    file: DicomFile,
    image: ImagePixelDescription,
    overlays: Sequence[EmbeddedOverlay],
    workers: int,
    *,
    little_endian: bool,
) -> list[Edit]:
    """Return the edits that give overlays in bits of Pixel Data elements of their own.

    Args:
        file: the open source, with pixels.
        image: as its frames are.
        overlays: those to take out.
        workers: threads for frames.
        little_endian: byte order of the data set that the edits are for.

    Raises:
        ReadError: a frame cannot be decoded.
    """
    decoder = FrameDecoder(file)
    words = replace(
        image,
        bits_stored=image.bits_allocated,
        high_bit=image.bits_allocated - 1,
        pixel_representation=0,
    )

    filled = file.frames.filled
    nothing = bytes((image.rows * image.columns + 7) // 8)

    def free_planes(frame: int) -> list[bytes]:
        if frame in filled:
            return [nothing] * len(overlays)
        samples = decoder.decode(frame, words)
        return [
            np.packbits(samples >> overlay.bit & 1 != 0, bitorder="little").tobytes()
            for overlay in overlays
        ]

    joiners = [BitJoiner(image.rows * image.columns) for _ in overlays]
    found: list[list[bytes]] = [[] for _ in overlays]
    with closing(
        map_frames(free_planes, image.number_of_frames, workers, compute_size_in_flight(words))
    ) as frames:
        for one in frames:
            for parts, joiner, plane in zip(found, joiners, one, strict=True):
                parts.append(joiner.join(plane))
    edits: list[Edit] = []
    for overlay, parts, joiner in zip(overlays, found, joiners, strict=True):
        data = b"".join([*parts, joiner.finish()])
        data += b"\0" * (len(data) % 2)
        if not little_endian:
            data = swap_bytes(data, 2)
        edits += make_overlay_edits(overlay.group, image, data, _has_origin(file, overlay))
    return edits


def _has_origin(file: DicomFile, overlay: EmbeddedOverlay) -> bool:
    return file.data_set.find(overlay.group << 16 | tags.OVERLAY_ORIGIN) is not None
