"""Compare the pixels of two files frame by frame, in any encoding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing

from dicodec.comparison.image_pair import Pair
from dicodec.conversion.frames.window import compute_size_in_flight, map_frames
from dicodec.conversion.planning.moved_value import plan_moved_value
from dicodec.model.late_import import import_late
from dicodec.model.records import NamedTuple, dataclass
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.frames import Frames
from dicodec.part10.writer import swap_chunks

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np

    from dicodec.codecs.base import Samples
    from dicodec.pixels.metrics import SampleErrors
else:
    np = import_late("numpy")

_BAND_MEMORY = 16 << 20


@dataclass(frozen=True, slots=True)
class FrameComparison:
    """Difference between a frame of A and the same frame of B.

    Attributes:
        frame: number of the frame, from 0.
        equal: whether no error is larger than the tolerance.
        differing_samples: number of samples that differ.
        largest_error: largest error of a sample; infinite if one is not a number (NaN) in one file
            only.
        mean_absolute_error: mean over all samples.
        psnr: peak signal-to-noise ratio in dB; None if all samples are equal.
        ssim: mean structural similarity; None if all samples are equal, or if the frame is smaller
            than the window of 11 by 11.
    """

    frame: int
    equal: bool
    differing_samples: int = 0
    largest_error: float = 0
    mean_absolute_error: float = 0.0
    psnr: float | None = None
    ssim: float | None = None


@dataclass(frozen=True, slots=True)
class PixelComparison:
    """Difference between the pixels of A and B.

    Attributes:
        equal: whether there is no difference, and no error larger than the tolerance.
        differences: reasons why the images cannot be compared, or not as a whole: sizes, numbers
            of frames.
        notes: notes on the method of the comparison.
        photometric_interpretation: color space of the comparison; "" if no samples were compared.
        largest_error, mean_absolute_error, psnr: over all frames, as in FrameComparison.
        ssim: mean over all frames, with 1 for equal ones; None if no frame has one.
        worst_frame: number of the frame with the largest error, of several the one with the largest
            mean; None if all frames are equal.
        frames: differences of each frame that both files have.
    """

    equal: bool
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    photometric_interpretation: str = ""
    largest_error: float = 0
    mean_absolute_error: float = 0.0
    psnr: float | None = None
    ssim: float | None = None
    worst_frame: int | None = None
    frames: tuple[FrameComparison, ...] = ()


def find_undecodable(frames: Frames) -> str:
    """Return why frames in Pixel Data cannot be separated; "" if they can."""
    if frames.empty:
        return "there are none"
    if frames.description is None:
        return f"the image is not described: {frames.fault}"
    syntax = frames.syntax
    if not syntax.reads or (frames.span.undefined and frames.encapsulated is None):
        return f"{syntax.name} is not decoded"
    if frames.native is not None and frames.excess < 0 and not frames.missing:
        return "it is shorter than its frames"
    return ""


def compare_values(one: DicomFile, two: DicomFile, why: str) -> PixelComparison:
    """Compare Pixel Data that cannot be decoded, byte for byte.

    Args:
        one: the first file.
        two: the second.
        why: reason for which it cannot be decoded.
    """
    if (one.frames.empty and two.frames.empty) or _has_same_value(one, two):
        return PixelComparison(equal=True, notes=(f"compared as bytes: {why}",))
    return PixelComparison(equal=False, differences=(f"the bytes of Pixel Data differ, and {why}",))


def _has_same_value(one: DicomFile, two: DicomFile) -> bool:
    """Whether two files have the same Pixel Data, in whatever byte order."""
    first, second = one.frames, two.frames
    moved = plan_moved_value(one, two.syntax) if one.syntax.native and two.syntax.native else None
    if moved is None and one.syntax != two.syntax:
        return False
    start, end = first.span.value, first.span.value + first.span.length
    if second.span.length - first.span.length not in {0, first.span.length % 2}:
        return False
    place = second.span.value
    for chunk in swap_chunks(first.source, start, end, moved.swap_unit if moved else 1):
        if second.source.read(place, len(chunk)) != chunk:
            return False
        place += len(chunk)
    return True


class _Measured(NamedTuple):
    """Measurements of a frame that remain after its samples are released."""

    errors: SampleErrors
    value_range: float
    ssim: float | None


def compare_frames(pair: Pair, tolerance: float, workers: int) -> PixelComparison:
    """Compare the frames that two images share.

    Args:
        pair: the images.
        tolerance: largest error of a sample that counts as equal.
        workers: threads for frames.

    Raises:
        ReadError: a frame cannot be decoded; file and frame are named.
    """
    from dicodec.pixels.metrics import SampleErrors

    if not pair.comparable:
        return PixelComparison(equal=False, differences=pair.differences, notes=pair.notes)
    images = pair.one.compared, pair.two.compared
    count = min(image.number_of_frames for image in images)
    size = sum(map(compute_size_in_flight, images))
    total, frames, value_range = SampleErrors(), list[FrameComparison](), 0.0
    with closing(
        map_frames(_make_measurer(pair), count, workers, size + _BAND_MEMORY)
    ) as measurements:
        for frame, measured in enumerate(measurements):
            total += measured.errors
            value_range = max(value_range, measured.value_range)
            frames.append(_make_frame_comparison(frame, measured, tolerance))
    worst = max(frames, key=lambda one: (one.largest_error, one.mean_absolute_error, -one.frame))
    similar = [one.ssim for one in frames if one.ssim is not None]
    same = sum(not one.differing_samples for one in frames)
    return PixelComparison(
        equal=not pair.differences and all(one.equal for one in frames),
        differences=pair.differences,
        notes=pair.notes,
        photometric_interpretation=pair.one.compared.photometric_interpretation,
        largest_error=worst.largest_error,
        mean_absolute_error=total.mean,
        psnr=_round(total.find_psnr(value_range), 4),
        ssim=_round((math.fsum(similar) + same) / (len(similar) + same), 6) if similar else None,
        worst_frame=worst.frame if worst.differing_samples else None,
        frames=tuple(frames),
    )


def _make_measurer(pair: Pair) -> Callable[[int], _Measured]:
    """Return the function that decodes a frame of both files and measures."""
    from dicodec.pixels.metrics import SampleErrors, measure_errors, measure_ssim

    whole_range = _find_whole_range(pair)

    def measure(frame: int) -> _Measured:
        if frame in pair.one.without_bytes:  # nor has the other
            return _Measured(SampleErrors(), 0.0, None)
        one = pair.one.bring_to_common(pair.one.read(frame))
        two = pair.two.bring_to_common(pair.two.read(frame))
        errors = measure_errors(one, two)
        value_range = _measure_range(one) if whole_range is None else whole_range
        similarity = measure_ssim(one, two, value_range) if errors.differing else None
        return _Measured(errors, value_range, similarity)

    return measure


def _find_whole_range(pair: Pair) -> float | None:
    """Return the largest less the smallest value that samples can have; None of floating point."""
    if pair.one.image.floating or pair.two.image.floating:
        return None
    bits = max(side.compared.bits_stored for side in (pair.one, pair.two))
    return float((1 << bits) - 1)


def measure_chosen_frames(pair: Pair, frames: Sequence[int]) -> tuple[SampleErrors, float | None]:
    """Return the errors of some frames together, and their peak signal-to-noise ratio in dB.

    One frame after the other, and without similarity, which takes longest.

    Args:
        pair: images that can be compared.
        frames: numbers of frames that both have, from 0.

    Raises:
        ReadError: a frame cannot be decoded; file and frame are named.
    """
    from dicodec.pixels.metrics import SampleErrors, measure_errors

    total, value_range = SampleErrors(), _find_whole_range(pair)
    largest_range = 0.0
    for frame in frames:
        if frame in pair.one.without_bytes:  # nor has the other
            continue
        one = pair.one.bring_to_common(pair.one.read(frame))
        total += measure_errors(one, pair.two.bring_to_common(pair.two.read(frame)))
        if value_range is None:
            largest_range = max(largest_range, _measure_range(one))
    return total, _round(total.find_psnr(value_range or largest_range), 4)


def _measure_range(samples: Samples) -> float:
    """Return the largest less the smallest number among floating point samples."""
    finite = samples[np.isfinite(samples)]
    return float(finite.max()) - float(finite.min()) if finite.size else 0.0


def _make_frame_comparison(frame: int, measured: _Measured, tolerance: float) -> FrameComparison:
    errors = measured.errors
    return FrameComparison(
        frame,
        equal=errors.largest <= tolerance,
        differing_samples=errors.differing,
        largest_error=int(errors.largest) if errors.largest.is_integer() else errors.largest,
        mean_absolute_error=errors.mean,
        psnr=_round(errors.find_psnr(measured.value_range), 4),
        ssim=_round(measured.ssim, 6),
    )


def _round(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)
