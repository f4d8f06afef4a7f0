"""Find out how large a result would be: a sample of its frames is coded, and nothing is written."""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Sequence
from random import Random

from dicodec.codecs.sample_notes import SampleNotes
from dicodec.conversion.frames.frame_steps import FrameWork
from dicodec.conversion.frames.pipeline import run_plan
from dicodec.conversion.planning.conversion_plan import Action, Conversion
from dicodec.report import SizeEstimate

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.codecs.base import Buffer

_CODED = frozenset({Action.TRANSCODE, Action.REPACK_JPEG, Action.UNPACK_JPEG})
"""Actions that take time for each frame."""

_LEAST_SPREAD = 0.02
"""Standard deviation of frames' sizes, as a part of their mean, if the drawn ones are alike."""


class _Counted(io.RawIOBase):
    """A file that keeps its length alone; what is written to it is gone."""

    def __init__(self) -> None:
        self._position = self._length = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:  # type: ignore[override]  # of all that has a length
        with memoryview(data) as view:
            self._position += view.nbytes
            self._length = max(self._length, self._position)
            return view.nbytes

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}
        self._position = start[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position


def estimate_size(conversion: Conversion, frames: int) -> SizeEstimate:
    """Estimate the size of a result.

    Everything but the frames is written as it would be, to no file. The frames that are coded are
    drawn at random, one from each of equal parts of the image, always the same ones.

    Args:
        conversion: the conversion; its plan is carried out as far as that is needed.
        frames: how many frames may be coded; a file of up to twice as many has all coded.

    Raises:
        DicodecError: one of those frames cannot be converted.
    """
    plan = conversion.plan
    if plan.action is Action.COPY_FILE:
        return SizeEstimate(conversion.file.source.size, 0.0, 0)
    # The offsets in a DICOMDIR are set in the result itself; such a file is small.
    out = io.BytesIO() if conversion.links else _Counted()
    total = 0 if plan.pixels is None else plan.pixels.frames
    coded = total if plan.action in _CODED else 0
    if coded <= 2 * frames or plan.target.deflated:
        run_plan(conversion, out, None, SampleNotes())  # type: ignore[arg-type]  # as a file does
        return SizeEstimate(out.seek(0, io.SEEK_END), 0.0, coded)
    sample = _Sample(conversion, _draw_frames(total, frames))
    run_plan(conversion, out, None, SampleNotes(), sample.choose)  # type: ignore[arg-type]
    return sample.extrapolate(out.seek(0, io.SEEK_END))


def _draw_frames(total: int, drawn: int) -> list[int]:
    random = Random(total)  # noqa: S311 - it keeps no secret
    edges = [total * part // drawn for part in range(drawn + 1)]
    return [random.randrange(edges[part], edges[part + 1]) for part in range(drawn)]


class _Sample:
    """The frames of a file that are coded; all others come out empty, or as zeros."""

    def __init__(self, conversion: Conversion, drawn: Sequence[int]) -> None:
        pixels = conversion.plan.pixels
        assert pixels is not None, "there are frames"
        self._total = pixels.frames
        self._lengths = dict.fromkeys(drawn, 0)
        self._encapsulated = conversion.plan.target.encapsulated
        bits = pixels.result.native_frame_bits
        self._other = b"" if self._encapsulated else bytes((bits + 7) // 8)

    def choose(self, work: FrameWork) -> FrameWork:
        """Return work that does the drawn frames alone."""

        def code(frame: int) -> Buffer:
            if frame not in self._lengths:
                return self._other
            stream = work(frame)
            with memoryview(stream) as view:
                self._lengths[frame] = view.nbytes + view.nbytes % 2
            return stream

        return code

    def extrapolate(self, counted: int) -> SizeEstimate:
        """Return the estimate of a file whose drawn frames were coded.

        Args:
            counted: bytes of the result with the drawn frames alone.
        """
        lengths, drawn = [*self._lengths.values()], len(self._lengths)
        if not self._encapsulated:  # native frames have one size
            return SizeEstimate(counted, 0.0, drawn)
        others = self._total - drawn
        size = counted + others * statistics.fmean(lengths)
        mean = statistics.fmean(lengths)
        spread = max(statistics.stdev(lengths), _LEAST_SPREAD * mean) if drawn > 1 else mean
        deviation = math.sqrt(self._total * others / drawn) * spread
        return SizeEstimate(round(size), deviation, drawn)
