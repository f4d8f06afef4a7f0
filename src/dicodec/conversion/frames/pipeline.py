"""Carry out a plan: head, frames through a window of threads, and the rest, into a file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache

from dicodec.conversion.frames.frame_steps import FrameWork, make_frame_work
from dicodec.conversion.frames.window import (
    bound_time,
    compute_size_in_flight,
    count_threads_for_each,
    map_frames,
)
from dicodec.conversion.planning.conversion_plan import Action, Conversion, PixelPlan
from dicodec.conversion.planning.moved_value import plan_moved_value
from dicodec.model import implementation, tags
from dicodec.model.edits import SetAttribute
from dicodec.model.findings import Oddity
from dicodec.model.records import dataclass, replace
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.directory_records import write_offsets
from dicodec.part10.edit_bytes import encode_element_header, encode_item_header
from dicodec.part10.elements import ITEM, Walker
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    encode_tag,
)
from dicodec.part10.native_frames import BitJoiner
from dicodec.part10.pixel_writer import EncapsulatedWriter, NativeWriter, patch
from dicodec.part10.source import Sink, copy_range
from dicodec.part10.writer import ElementWriter, swap_chunks, write_file_meta
from dicodec.rules.image_edits import choose_native_vr
from dicodec.rules.lossy import RATIO_LENGTH, format_ratio

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # frames that are only moved need no codec
    from typing import BinaryIO

    from dicodec.codecs.base import Buffer
    from dicodec.codecs.sample_notes import SampleNotes

_REUSED_SIZE = 16 << 20
_SWAPPED_ITEM = encode_tag(ITEM, EXPLICIT_BIG)

type Progress = Callable[[int, int], None]
"""Receives, behind each frame, how many frames are written, and how many there will be."""

type ChooseWork = Callable[[FrameWork], FrameWork]
"""Replaces the work on frames by other work, as if some of them only are to be coded."""


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The measures of a result.

    Attributes:
        encoded_size: bytes of all frames in the result, padding included; None if native.
        native_size: bytes that the same frames take native.
        oddities: faults that were carried over.
    """

    encoded_size: int | None
    native_size: int
    oddities: tuple[Oddity, ...] = ()


def run_plan(
    conversion: Conversion,
    out: BinaryIO,
    progress: Progress | None = None,
    notes: SampleNotes | None = None,
    choose_work: ChooseWork | None = None,
) -> PipelineResult:
    """Write the result of a conversion.

    Args:
        conversion: the conversion to carry out.
        out: an empty seekable file.
        progress: see `Progress`; frames that are moved as one are not reported.
        notes: takes corrections of samples that do not fit Bits Stored.
        choose_work: see `ChooseWork`; None for all frames as they are.

    Raises:
        DicodecError: the frame at fault is named. The bytes written until then are of no use.
    """
    _keep_freed_memory()
    return _Writer(conversion, out, progress, notes, choose_work).write()


@cache
def _keep_freed_memory() -> None:
    """Have the memory of frames used again, not given back and taken anew page by page.

    glibc maps blocks beyond a size one by one. When such a block is freed, blocks up to its size
    come from the heap from then on, and twice as much may lie there unused (mallopt(3),
    M_MMAP_THRESHOLD). Nothing is written to this block, so it takes no memory. Once is enough for a
    process, and a second block would come from the heap and be cleared, which takes 3 ms.
    """
    bytes(_REUSED_SIZE)


class _Writer:
    def __init__(
        self,
        conversion: Conversion,
        out: BinaryIO,
        progress: Progress | None,
        notes: SampleNotes | None,
        choose_work: ChooseWork | None,
    ) -> None:
        self._choose_work = choose_work
        self._file = conversion.file
        self._plan = conversion.plan
        self._edits = conversion.edits
        self._workers = conversion.workers
        self._links = conversion.links
        self._out = out
        self._progress = progress
        self._notes = notes
        self._encoding = self._plan.encoding
        self._elements = ElementWriter(self._file.data_set, self._encoding, self._edits)

    def write(self) -> PipelineResult:
        if self._plan.action is Action.COPY_FILE:
            copy_range(self._file.source, 0, self._file.source.size, self._out)
            return PipelineResult(None, 0)
        write_file_meta(self._out, self._file.head, self._make_file_meta())
        if not self._plan.target.deflated:
            result = self._write_data_set(self._out, self._out.tell())
        else:
            from dicodec.part10.deflating import DeflatingWriter

            with closing(DeflatingWriter(self._out, self._workers)) as deflating:
                result = self._write_data_set(deflating, 0)
                deflating.finish()
        if self._links:
            self._state_record_offsets()
        oddities = tuple(self._elements.oddities)
        return replace(result, oddities=oddities) if oddities else result

    def _state_record_offsets(self) -> None:
        """Have the records of a DICOMDIR name each other by their new offsets."""
        self._out.flush()
        self._out.seek(0)
        with open_dicom(self._out, self._file.data_set.limits.for_result()) as made:
            write_offsets(self._out, made, self._links)
        self._out.seek(0, io.SEEK_END)

    def _write_data_set(self, sink: Sink, start: int) -> PipelineResult:
        """Write all elements; `start` is the sink's position in the file."""
        offsets = self._elements.write_before_pixel_data(sink)
        rooms = {tag: start + offset for tag, offset in offsets.items()}
        result = PipelineResult(None, 0)
        if self._file.frames.present:
            result = self._write_pixel_data(sink, rooms)
        self._elements.write_after_pixel_data(sink)
        return result

    def _make_file_meta(self) -> dict[int, str]:
        """Return the values of File Meta Information for this result (PS3.10 7.1)."""
        return {
            **{copy: self._read_uid(tag, copy) for copy, tag in tags.META_COPIES.items()},
            tags.TRANSFER_SYNTAX_UID: self._plan.target.uid,
            tags.IMPLEMENTATION_CLASS_UID: implementation.CLASS_UID,
            tags.IMPLEMENTATION_VERSION_NAME: implementation.VERSION_NAME,
        }

    def _read_uid(self, tag: int, meta_tag: int) -> str:
        """Return a UID as the result's data set has it, else as the source's group 2 has it."""
        for edit in self._edits:
            if edit.tag == tag and isinstance(edit, SetAttribute):
                value = edit.value
                text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                return text.rstrip("\0 ")
        return self._file.data_set.read_text(tag) or self._file.head.read_text(meta_tag)

    def _write_pixel_data(self, sink: Sink, rooms: dict[int, int]) -> PipelineResult:
        pixels = self._plan.pixels
        if self._plan.action is Action.MOVE_VALUE or pixels is None:
            self._move_value(sink)
            return PipelineResult(None, 0)
        frame_size = compute_size_in_flight(pixels.decoded)
        threads = count_threads_for_each(pixels.frames, self._workers, frame_size)
        work = make_frame_work(self._file, self._plan, self._notes, threads)
        if self._choose_work is not None:
            work = self._choose_work(work)
        size = self._file.source.size
        work = bound_time(work, pixels.frames, frame_size, self._file.data_set.limits, size)
        # Closed even if writing fails: no thread may read from a source that is closed already.
        with closing(map_frames(work, pixels.frames, self._workers, frame_size)) as streams:
            told = (
                streams
                if self._progress is None
                else _report_progress(streams, pixels, self._progress)
            )
            if self._plan.target.encapsulated:
                return self._write_fragments(pixels, told, rooms)
            return self._write_native(sink, pixels, told)

    def _write_native(
        self, sink: Sink, pixels: PixelPlan, frames: Iterator[Buffer]
    ) -> PipelineResult:
        native_size = pixels.result.native_size
        vr = choose_native_vr(pixels.result, "")
        writer = NativeWriter(sink, tags.PIXEL_DATA, vr, native_size, self._encoding)
        joiner = BitJoiner(pixels.result.native_frame_bits)
        for samples in frames:
            writer.write(joiner.join(samples))
        writer.write(joiner.finish())
        writer.finish()
        return PipelineResult(None, native_size)

    def _write_fragments(
        self,
        pixels: PixelPlan,
        streams: Iterator[Buffer],
        rooms: dict[int, int],
    ) -> PipelineResult:
        room = None
        if pixels.table == "extended":
            header = len(encode_element_header(tags.EXTENDED_OFFSET_TABLE, "OV", 0, self._encoding))
            room = (
                rooms[tags.EXTENDED_OFFSET_TABLE] + header,
                rooms[tags.EXTENDED_OFFSET_TABLE_LENGTHS] + header,
            )
        fragments = EncapsulatedWriter(self._out, pixels.frames, pixels.table, room)
        for stream in streams:
            fragments.write(stream)
        fragments.finish()
        native_size = pixels.prepared.native_size
        if pixels.lossy:
            self._patch_ratio(rooms, format_ratio(native_size, fragments.encoded_size))
        return PipelineResult(fragments.encoded_size, native_size)

    def _patch_ratio(self, rooms: dict[int, int], ratio: str) -> None:
        """Put the measured ratio into the room left for it: the last value of the element."""
        tag = tags.LOSSY_IMAGE_COMPRESSION_RATIO
        edit = next(
            edit for edit in self._edits if isinstance(edit, SetAttribute) and edit.tag == tag
        )
        header = len(encode_element_header(tag, "DS", 0, self._encoding))
        assert isinstance(edit.value, str)
        patch(
            self._out,
            rooms[tag] + header + len(edit.value) - RATIO_LENGTH,
            ratio.encode("ascii"),
        )

    def _move_value(self, sink: Sink) -> None:
        """Copy the value of Pixel Data in pieces, in another byte order if need be."""
        span, source = self._file.frames.span, self._file.frames.source
        if span.undefined and self._plan.target.native:
            assert self._file.frames.empty, "fragments are not moved as samples"
            image = self._file.frames.description
            vr = "OB" if image is None else choose_native_vr(image, "")
            NativeWriter(sink, span.tag, vr, 0, self._encoding).finish()
            return
        if span.undefined:
            sink.write(encode_element_header(span.tag, "OB", UNDEFINED_LENGTH, self._encoding))
            self._move_items(sink)
            sink.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
            return
        moved = plan_moved_value(self._file, self._plan.target)
        assert moved is not None, "the plan moves only frames that can be moved"
        vr, unit = moved
        # The pad byte of a last word changes places with the sample before it.
        padding = span.length % 2 if unit == 2 and self._plan.source.pixels_little_endian else 0
        writer = NativeWriter(sink, span.tag, vr, span.length + padding, self._encoding)
        end = span.value + span.length
        if unit == 1:
            copy_range(source, span.value, end, sink)
        else:
            for chunk in swap_chunks(source, span.value, end, unit, padding):
                writer.write(chunk)
        writer.finish()

    def _move_items(self, sink: Sink) -> None:
        """Copy the items of Pixel Data; their headers are in little endian everywhere (A.4)."""
        span, source = self._file.frames.span, self._file.frames.source
        end = span.value + span.length
        if source.read(span.value, 4) != _SWAPPED_ITEM:
            copy_range(source, span.value, end, sink)
            return
        for item in Walker(source, self._file.data_set.limits).walk_items(
            span.value, end, EXPLICIT_BIG
        ):
            sink.write(encode_item_header(item.length, EXPLICIT_LITTLE))
            copy_range(source, item.value, item.end, sink)


def _report_progress(
    streams: Iterator[Buffer], pixels: PixelPlan, progress: Progress
) -> Iterator[Buffer]:
    """Yield all items, and report progress."""
    for done, stream in enumerate(streams, 1):
        yield stream
        progress(done, pixels.frames)
