"""A bounded, ordered window of threads: the sink pulls, and memory is bounded by the window."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock  # of the library reference; `threading` takes 1 ms
from collections import deque
from collections.abc import Callable, Generator
from functools import partial

from dicodec.errors import LimitExceededError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import RAISES_EXPANSION, Limits

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # imported when threads are started: it takes 1 ms, and one frame needs none
    from dicodec.model.threads import Task

FRAMES_IN_FLIGHT_PER_WORKER = 2
BYTES_IN_FLIGHT = 96 << 20
"""Decoded and encoded frames in flight together take about this much at most, one frame apart."""


_USUAL_EXPANSION = 32
"""Bytes of frames in flight for each byte of a file, up to which their time is not taken."""


_MANY_FRAMES = 1000
"""Frames from which their time is taken in any file: to begin one may take a millisecond."""


def compute_size_in_flight(image: ImagePixelDescription) -> int:
    """Return the bytes that a frame takes while it is worked on: its stream and its samples."""
    return image.samples_per_frame * max(image.bits_allocated, 8) // 4


def count_cores() -> int:
    """Return the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_threads_for_each(frames: int, workers: int, frame_size: int) -> int:
    """Return the number of threads for a frame if fewer frames than workers are in flight.

    Args:
        frames: as `map_frames` is given them.
        workers: as there.
        frame_size: as there.
    """
    return max(1, workers // max(1, _count_at_once(frames, workers, frame_size)))


def _count_at_once(frames: int, workers: int, frame_size: int) -> int:
    return min(workers, _count_affordable(frame_size), frames)


def _count_affordable(frame_size: int) -> int:
    return max(1, BYTES_IN_FLIGHT // max(frame_size, 1))


def map_frames[Result](
    work: Callable[[int], Result], frames: int, workers: int, frame_size: int
) -> Generator[Result]:
    """Yield work(frame) for every frame in order, at most a window of them at once.

    One worker runs in the caller's thread. The first failing frame, in frame order, raises here;
    frames behind it are cancelled. Close it if not all frames are taken.

    Args:
        work: turns a frame's number, from 0, into its result; called from several threads.
        frames: how many there are.
        workers: threads.
        frame_size: bytes that a frame in flight takes, source, samples and result together.
    """
    workers = _count_at_once(frames, workers, frame_size)
    if workers <= 1:
        yield from map(work, range(frames))
        return
    window = min(workers * FRAMES_IN_FLIGHT_PER_WORKER, _count_affordable(frame_size))
    from dicodec.model.threads import Threads

    waiting: deque[Task[Result]] = deque()
    with Threads(workers, "dicodec-frame") as threads:
        for frame in range(frames):
            if len(waiting) == window:
                yield waiting.popleft().wait()
            waiting.append(threads.submit(partial(work, frame)))
        while waiting:
            yield waiting.popleft().wait()


def bound_time[Result](
    work: Callable[[int], Result], frames: int, frame_size: int, limits: Limits, size: int
) -> Callable[[int], Result]:
    """Return work on frames that fails if all frames together take too long for a file of a size.

    Sizes do not tell a frame's cost: noise that repeats itself inflates to a thousand times as
    much, and takes a hundred times as long to encode as the same number of black pixels. Few frames
    that expand as usual are not timed.

    Args:
        work: turns a frame's number into its result; threads that a codec starts do not count.
        frames: as `map_frames` is given them.
        frame_size: as there.
        limits: those of the file.
        size: bytes of the file.
    """
    expands = frames * frame_size > _USUAL_EXPANSION * size
    if frames <= _MANY_FRAMES and not (expands and frames > 1):
        return work
    left = limits.compute_seconds(size)
    lock = allocate_lock()

    def bounded(frame: int) -> Result:
        nonlocal left
        start = time.thread_time()
        result = work(frame)
        with lock:
            left -= time.thread_time() - start
            if left < 0:
                raise LimitExceededError(
                    f"the frames take more than {limits.compute_seconds(size):g} seconds of CPU "
                    f"time, the limit for a file of {size} bytes",
                    frame=frame,
                    hint=RAISES_EXPANSION,
                )
        return result

    return bounded
