"""Compare two files: the pixels frame by frame, the attributes by their meaning."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from dicodec.comparison.attributes import AttributeChange, compare_attributes
from dicodec.comparison.image_pair import Pair, make_pair, open_side
from dicodec.comparison.pixels import (
    PixelComparison,
    compare_frames,
    compare_values,
    find_undecodable,
)
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.result_file import create_side_output
from dicodec.errors import DicodecError, InvalidOptionError, UnsupportedSourceError
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import asdict, dataclass
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.dictionary import parse_tag
from dicodec.repair.opening import open_tolerantly

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two files differ.

    Attributes:
        a, b: paths as the caller gave them; None for buffers and streams.
        transfer_syntaxes: short names of the transfer syntaxes of A and B.
        equal: whether pixels are equal and no attribute changed that a conversion may not change.
        tolerance: largest error of a sample that counted as equal.
        pixels: differences of the pixels; None if neither file has any.
        attributes: differing attributes, by rising tag; empty if they were not compared.
        picture: path of the picture; None if none was made.
        html: path of the page; None if none was made.
        picture_frame: number of the frame in the picture and on the page.
    """

    a: str | None = None
    b: str | None = None
    transfer_syntaxes: tuple[str, str] = ("", "")
    equal: bool = True
    tolerance: float = 0
    pixels: PixelComparison | None = None
    attributes: tuple[AttributeChange, ...] = ()
    picture: str | None = None
    html: str | None = None
    picture_frame: int | None = None

    @property
    def unexpected(self) -> tuple[AttributeChange, ...]:
        """The differing attributes that a conversion may not change."""
        return tuple(change for change in self.attributes if not change.allowed)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as values that JSON can hold; an infinite error becomes None."""
        found = asdict(self)
        if self.pixels is not None:
            for numbers in (found["pixels"], *found["pixels"]["frames"]):
                for name, value in numbers.items():
                    if isinstance(value, float) and not math.isfinite(value):
                        numbers[name] = None
        return found


def compare(
    a: Source,
    b: Source,
    *,
    tolerance: float = 0,
    allow: Sequence[str] = (),
    ignore_attributes: bool = False,
    picture: str | os.PathLike[str] | None = None,
    html: str | os.PathLike[str] | None = None,
    frame: int | None = None,
    workers: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Comparison:
    """Compare two DICOM files, whatever their transfer syntaxes.

    Memory does not grow with the number of frames. Samples are compared by value. If the
    Photometric Interpretations differ, both are converted to RGB, palettes applied, or to
    MONOCHROME2.

    Args:
        a: path, buffer or binary stream of the first file.
        b: path, buffer or binary stream of the second file.
        tolerance: largest error of a sample that counts as equal, 0 or more.
        allow: keywords or tags of attributes that may differ, besides those a conversion changes.
        ignore_attributes: whether to compare only pixels.
        picture: path of a PNG of A, B and their difference side by side, which ends in .png; a file
            of that name is replaced. None for no picture.
        html: path of a page with both frames under a slider, which ends in .html; a file of that
            name is replaced. None for no page.
        frame: number of the frame in the picture or on the page, from 0; None for the one with the
            largest error.
        workers: threads for frames; None for one a processor.
        limits: bounds on the sizes that the files may claim.

    Raises:
        InvalidOptionError: an option is invalid.
        ReadError: a file, or a frame of it, cannot be read.
        UnsupportedSourceError: a frame cannot be decoded.
        WriteError: the picture or the page cannot be written.
    """
    allowed = _check_options(tolerance, allow, {".png": picture, ".html": html}, frame, workers)
    names = _name(a), _name(b)
    with ExitStack() as stack:
        one, two = _open(stack, a, names[0], limits), _open(stack, b, names[1], limits)
        pixels, pair = _compare_pixels(one, two, names, tolerance, workers or count_cores())
        attributes = (
            ()
            if ignore_attributes
            else compare_attributes(_make_readable(one), _make_readable(two), allowed)
        )
        shown = None
        if picture is not None or html is not None:
            shown = _draw(picture, html, pair, pixels, frame)
    same_pixels = pixels is None or pixels.equal
    return Comparison(
        a=names[0],
        b=names[1],
        transfer_syntaxes=(one.syntax.name, two.syntax.name),
        equal=same_pixels and all(change.allowed for change in attributes),
        tolerance=tolerance,
        pixels=pixels,
        attributes=attributes,
        picture=None if picture is None else os.fspath(picture),
        html=None if html is None else os.fspath(html),
        picture_frame=shown,
    )


def _check_options(
    tolerance: float,
    allow: Sequence[str],
    shown: Mapping[str, str | os.PathLike[str] | None],
    frame: int | None,
    workers: int | None,
) -> frozenset[int]:
    """Check the options, and return the tags of attributes that may differ."""
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise InvalidOptionError(f"a tolerance is a number from 0, not {tolerance}")
    if workers is not None and workers < 1:
        raise InvalidOptionError(f"{workers} threads cannot work")
    for suffix, place in shown.items():
        if place is not None and Path(place).suffix.lower() != suffix:
            kind = "picture is a PNG" if suffix == ".png" else "page is HTML"
            raise InvalidOptionError(f"a {kind}, and {os.fspath(place)!r} has another name")
    if frame is not None and (not any(shown.values()) or frame < 0):
        raise InvalidOptionError("a frame, from 0, is chosen for a picture")
    return frozenset(parse_tag(name) for name in allow)


def _open(stack: ExitStack, source: Source, name: str | None, limits: Limits) -> DicomFile:
    try:
        return stack.enter_context(open_tolerantly(source, limits))
    except DicodecError as error:
        error.with_location(path=name)
        raise


def _make_readable(file: DicomFile) -> DicomFile:
    """Return a file whose sequences can be compared, as a conversion would write them anew."""
    from dicodec.repair.standard_form import make_readable

    try:
        return make_readable(file) or file
    except DicodecError:
        return file  # data that cannot be read is compared as bytes


def _compare_pixels(
    one: DicomFile,
    two: DicomFile,
    names: tuple[str | None, str | None],
    tolerance: float,
    workers: int,
) -> tuple[PixelComparison | None, Pair | None]:
    """Return how far the pixels are apart, and both images if frames can be decoded."""
    if not one.frames.present and not two.frames.present:
        return None, None
    if one.frames.present != two.frames.present:
        only = "A" if one.frames.present else "B"
        return PixelComparison(equal=False, differences=(f"only {only} has pixels",)), None
    if why := find_undecodable(one.frames) or find_undecodable(two.frames):
        return compare_values(one, two, why), None
    pair = make_pair(open_side(one, names[0]), open_side(two, names[1]))
    return compare_frames(pair, tolerance, workers), pair


def _draw(
    picture: str | os.PathLike[str] | None,
    html: str | os.PathLike[str] | None,
    pair: Pair | None,
    pixels: PixelComparison | None,
    frame: int | None,
) -> int:
    """Put the picture and the page of one frame in their places; return which frame it is."""
    if pair is None or pixels is None:
        why = " and ".join((*pixels.differences, *pixels.notes) if pixels else ("no pixels",))
        raise UnsupportedSourceError(f"no picture can be made: {why}")
    count = min(side.image.number_of_frames for side in (pair.one, pair.two))
    if frame is None:
        frame = pixels.worst_frame or 0
    elif frame >= count:
        raise InvalidOptionError(f"there is no frame {frame}: frames are 0 to {count - 1}")

    from dicodec.comparison.picture import draw_panes, draw_picture, find_errors, prepare

    samples = pair.one.read(frame), pair.two.read(frame)
    errors = find_errors(pair, samples) if pair.comparable else None
    shown = prepare(pair.one, frame, samples[0]), prepare(pair.two, frame, samples[1])
    panes = draw_panes(shown, errors)
    if picture is not None:
        _write(picture, draw_picture(panes))
    if html is not None:
        from dicodec.comparison.page import make_page

        names = pair.one.name or "A", pair.two.name or "B"
        _write(html, make_page(panes, names, frame, _describe_errors(pixels, frame)).encode())
    return frame


def _write(place: str | os.PathLike[str], content: bytes) -> None:
    with create_side_output(place, overwrite=True) as temporary:
        temporary.write_bytes(content)


def _describe_errors(pixels: PixelComparison, frame: int) -> str:
    """Return the differences of a frame in words."""
    found = next((one for one in pixels.frames if one.frame == frame), None)
    if found is None:
        return "; ".join(pixels.differences)
    if not found.differing_samples:
        return "All samples are equal."
    psnr = "" if found.psnr is None else f", PSNR {found.psnr:.2f} dB"
    return (
        f"{found.differing_samples} samples differ: largest error {found.largest_error:g}, "
        f"mean absolute error {found.mean_absolute_error:.4g}{psnr}."
    )


def _name(given: Source) -> str | None:
    return os.fspath(given) if isinstance(given, str | os.PathLike) else None
