"""`dicodec show`: write frames as pictures or arrays, or a folder as a contact sheet."""

from __future__ import annotations

import argparse
import os
import sys

from dicodec.cli.option_arguments import add_option
from dicodec.cli.printing import SOME_FAILED, print_failure, print_line
from dicodec.errors import DicodecError, InvalidOptionError, SourceUnavailableError
from dicodec.images.decoded_frames import AUTO, WindowChoice
from dicodec.images.pictures import (
    PictureKind,
    PictureOptions,
    encode_pictures,
    find_picture_kind,
    write_pictures,
)
from dicodec.interface.open_image import open_image
from dicodec.model.limits import parse_limits
from dicodec.model.option_table import OPTIONS
from dicodec.model.source_names import is_archive

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.model.limits import Limits

_ALL = "all"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("source", metavar="FILE", help="a file, - for standard input, or a folder for a sheet")
    add("-o", "--output", metavar="FILE", required=True,
        help="picture: .png, .jpg, .tif, .gif; .npy and .raw have stored samples")  # fmt: skip
    add("--frame", default="0", metavar="N|all", help="the frame, from 0 (default 0), or all")
    add("--window", type=float, nargs=2, metavar=("C", "W"),
        help="Window Center and Width in place of the file's")  # fmt: skip
    add("--scale", type=float, default=1.0, metavar="FACTOR",
        help="factor of rows and columns (default 1)")  # fmt: skip
    add("--overwrite", action="store_true", help="replace pictures that are there")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add_option(command, OPTIONS["limits"])


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    limits = parse_limits(arguments.limits)
    kind = find_picture_kind(arguments.output)
    window: WindowChoice = None if arguments.window is None else tuple(arguments.window)
    options = PictureOptions(window, arguments.scale, arguments.overwrite)
    try:
        if _is_folder(arguments.source):
            return _show_folder(arguments, kind, options, limits)
        if arguments.source == "-" and sys.stdin is None:
            raise SourceUnavailableError("standard input is closed")
        source = sys.stdin.buffer if arguments.source == "-" else arguments.source
        with open_image(source, limits=limits) as image:
            frames = _parse_frames(arguments.frame, len(image))
            for path in write_pictures(image, frames, arguments.output, options):
                if not arguments.quiet:
                    print_line(str(path), sys.stdout)
    except InvalidOptionError:
        raise
    except DicodecError as error:
        print_failure(error, as_json=False)
        return SOME_FAILED
    return 0


def _is_folder(source: str) -> bool:
    return is_archive(source) or os.path.isdir(source)  # noqa: PTH112 - it never raises


def _parse_frames(text: str, count: int) -> range:
    """Return the numbers of the frames to show.

    Raises:
        InvalidOptionError: the text is neither a number of a frame nor "all".
    """
    if text == _ALL:
        return range(count)
    if not text.isdecimal() or int(text) >= count:
        raise InvalidOptionError(f"there is no frame {text}: frames are 0 to {count - 1}, or all")
    return range(int(text), int(text) + 1)


def _show_folder(
    arguments: argparse.Namespace, kind: PictureKind, options: PictureOptions, limits: Limits
) -> int:
    """Write a contact sheet, and print its files, row by row."""
    from dicodec.conversion.output.result_file import create_side_output
    from dicodec.interface.contact_sheet import make_contact_sheet

    if kind not in {PictureKind.PNG, PictureKind.JPEG}:
        raise InvalidOptionError("a contact sheet is one picture", hint="name it .png or .jpg")
    if arguments.frame != "0" or options.scale != 1:
        raise InvalidOptionError("a contact sheet has the middle frame of each file, in one size")
    sheet = make_contact_sheet(arguments.source, options.window or AUTO, limits)
    content = encode_pictures(sheet.picture, kind)
    with create_side_output(arguments.output, overwrite=options.overwrite) as temporary:
        temporary.write_bytes(content)
    if not arguments.quiet:
        for number, name in enumerate(sheet.names):
            row, column = divmod(number, sheet.columns)
            print_line(f"row {row + 1} column {column + 1}: {name}", sys.stdout)
    for error in sheet.errors:
        print_failure(error, as_json=False)
    return SOME_FAILED if sheet.errors else 0
