"""`dicodec compare`: print how far two files are apart, for people or as JSON."""

from __future__ import annotations

import argparse
import sys

from dicodec.cli.option_arguments import add_option
from dicodec.cli.printing import SOME_FAILED, print_failure, print_line
from dicodec.comparison.compare import Comparison, compare
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.limits import parse_limits
from dicodec.model.option_table import OPTIONS
from dicodec.model.wording import dump_json_line
from dicodec.part10.dicom_file import Source

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.comparison.attributes import AttributeChange
    from dicodec.comparison.pixels import FrameComparison, PixelComparison

_FRAMES_SHOWN = 10


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.epilog = "exit status: 0 equal, 1 different or not readable, 2 wrong usage"
    add = command.add_argument
    add("a", metavar="A", help="a file, or - for standard input")
    add("b", metavar="B", help="the file to compare it with, or -")
    add("--tolerance", type=float, default=0, metavar="N",
        help="largest error of a sample that counts as equal (default 0)")  # fmt: skip
    add("--allow", action="append", default=[], metavar="KEYWORD",
        help="an attribute that may differ; may be repeated")  # fmt: skip
    add("--ignore-attributes", action="store_true", help="compare pixels only")
    add("--picture", metavar="FILE.png",
        help="show a frame of A, of B, and their difference side by side")  # fmt: skip
    add("--html", metavar="FILE.html",
        help="a page with a frame of A and of B under a slider, and their difference")  # fmt: skip
    add("--frame", type=int, metavar="N",
        help="frame of the picture, from 0 (default: the one with the largest error)")  # fmt: skip
    add_option(command, OPTIONS["workers"])
    add("--json", action="store_true", help="print the comparison as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="store_true", help="print every frame that differs")
    add_option(command, OPTIONS["limits"])


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status: 0 if equal, 1 if not."""
    try:
        if arguments.a == arguments.b == "-":
            raise InvalidOptionError("standard input can be read once only")
        found = compare(
            _open_source(arguments.a),
            _open_source(arguments.b),
            tolerance=arguments.tolerance,
            allow=arguments.allow,
            ignore_attributes=arguments.ignore_attributes,
            picture=arguments.picture,
            html=arguments.html,
            frame=arguments.frame,
            workers=arguments.workers,
            limits=parse_limits(arguments.limits),
        )
    except InvalidOptionError:
        raise
    except DicodecError as error:
        print_failure(error, as_json=arguments.json)
        return SOME_FAILED
    if arguments.json:
        print(dump_json_line(found.as_dict()))
    elif not arguments.quiet:
        for line in _format_lines(found, verbose=arguments.verbose):
            print_line(line, sys.stdout)
    return 0 if found.equal else SOME_FAILED


def _open_source(name: str) -> Source:
    return sys.stdin.buffer if name == "-" else name


def _format_lines(found: Comparison, *, verbose: bool) -> list[str]:
    lines = [
        f"A  {found.a or 'standard input'} ({found.transfer_syntaxes[0]})",
        f"B  {found.b or 'standard input'} ({found.transfer_syntaxes[1]})",
        *_format_pixel_lines(found.pixels, found.tolerance, verbose=verbose),
    ]
    for allowed, title in ((False, "changed"), (True, "changed, as a conversion may")):
        changes = [change for change in found.attributes if change.allowed is allowed]
        if changes:
            lines.append(f"attributes {title}: {len(changes)}")
            lines += [f"  {_format_change(change)}" for change in changes]
    if found.picture is not None:
        lines.append(f"picture of frame {found.picture_frame}: {found.picture}")
    if found.html is not None:
        lines.append(f"page of frame {found.picture_frame}: {found.html}")
    lines.append("equal" if found.equal else "different")
    return lines


def _format_pixel_lines(
    pixels: PixelComparison | None, tolerance: float, *, verbose: bool
) -> list[str]:
    if pixels is None:
        return ["pixels: neither file has any"]
    differing = [frame for frame in pixels.frames if frame.differing_samples]
    count = len(pixels.frames)
    frames = f"{count} frame{'' if count == 1 else 's'}"
    if pixels.differences:
        lines = [f"pixels: different: {text}" for text in pixels.differences]
    elif not differing:
        lines = [f"pixels: equal, {frames}" if count else "pixels: equal"]
    else:
        verdict = f"equal within {tolerance:g}" if pixels.equal else "different"
        lines = [f"pixels: {verdict}, {len(differing)} of {frames}"]
    if differing:
        lines.append(f"  {_format_numbers(pixels)}")
    if count > 1:
        shown = differing if verbose else _select_worst(differing)
        lines += [f"  frame {frame.frame}: {_format_numbers(frame)}" for frame in shown]
        if len(shown) < len(differing):
            lines.append(f"  and {len(differing) - len(shown)} frames more, none further off")
    return [*lines, *(f"  note: {note}" for note in pixels.notes)]


def _select_worst(frames: list[FrameComparison]) -> list[FrameComparison]:
    ranked = sorted(frames, key=lambda one: (-one.largest_error, -one.mean_absolute_error))
    return sorted(ranked[:_FRAMES_SHOWN], key=lambda one: one.frame)


def _format_numbers(measured: PixelComparison | FrameComparison) -> str:
    parts = [
        f"largest error {measured.largest_error:g}",
        f"mean absolute error {measured.mean_absolute_error:.4g}",
    ]
    if measured.psnr is not None:
        parts.append(f"PSNR {measured.psnr:.2f} dB")
    if measured.ssim is not None:
        parts.append(f"SSIM {measured.ssim:.4f}")
    return ", ".join(parts)


def _format_change(change: AttributeChange) -> str:
    name = f"{change.keyword or change.tag}{change.where}"
    if change.change == "VR":
        text = f"{name}: VR {change.a or 'not stated'} and {change.b or 'not stated'}"
    elif change.change == "changed":
        text = f"{name}: {change.a or 'absent'} -> {change.b or 'absent'}"
    else:
        text = f"{name}: {change.change}: {change.a or change.b}"
    return f"{text} ({change.reason})" if change.reason else text
