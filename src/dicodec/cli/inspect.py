"""`dicodec inspect`: describe files and the targets they can have, for people or as JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from dicodec.cli.option_arguments import add_option
from dicodec.cli.printing import SOME_FAILED, print_failure
from dicodec.conversion.inspection import Inspection
from dicodec.errors import DicodecError, SourceUnavailableError
from dicodec.interface.inspect import inspect
from dicodec.model.limits import parse_limits
from dicodec.model.option_table import OPTIONS
from dicodec.model.wording import dump_json_line, write_on_one_line


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.add_argument(
        "source", nargs="+", metavar="FILE", help="a file, the URL of an object, or -"
    )
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    add_option(command, OPTIONS["limits"])


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    limits = parse_limits(arguments.limits)
    failed = False
    for name in arguments.source:
        try:
            if name == "-" and sys.stdin is None:
                raise SourceUnavailableError("standard input is closed")
            found = inspect(sys.stdin.buffer if name == "-" else name, limits)
        except DicodecError as error:
            failed = True
            print_failure(error, as_json=arguments.json)
            continue
        if arguments.json:
            print(dump_json_line(found.as_dict()))
        else:
            _print(found)
    return SOME_FAILED if failed else 0


_WORDS = {
    "allowed": "not usual",
    "harmless": "not standard, harmless",
    "wrong": "not standard",
    "doubtful": "not standard, doubtful",
}
"""Words for each severity in the catalogue of oddities."""


def _print(found: Inspection) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)

    def show(line: str, style: str | None = None) -> None:
        console.print(write_on_one_line(line), style=style)

    show(found.source or "standard input", "bold")
    for name, value in _list_facts(found):
        if value:
            show(f"  {name:<16} {value}")
    for oddity in found.oddities:
        place = "" if oddity.offset is None else f" (at byte {oddity.offset})"
        show(f"  {_WORDS[oddity.severity]}: {oddity.text}{place} [{oddity.id}]", "yellow")
    for oddity in {oddity.id: oddity for oddity in found.oddities}.values():
        show(
            f"    [{oddity.id}] assumed: {oddity.assumed}; --standardize: {oddity.standardized}",
            "dim",
        )
    for problem in found.problems:
        show(f"  note: {problem}", "yellow")
    for line, style in _list_targets(found):
        show(line, style)


def _list_facts(found: Inspection) -> list[tuple[str, str]]:
    image, stream = found.image, found.stream
    rows = [
        ("transfer syntax", f"{found.transfer_syntax} ({found.transfer_syntax_title})"),
        ("size", f"{found.size:,} bytes, {found.elements} elements"),
        ("SOP class", found.sop_class_uid),
        ("modality", found.modality),
    ]
    if image is None:
        return [*rows, ("pixels", "none" if not found.pixel_data_length else "cannot be described")]
    sign = "signed" if image.signed else "unsigned"
    size = f"{image.columns} x {image.rows}, {image.number_of_frames} frame(s)"
    kind = f"{image.samples_per_pixel} sample(s), {image.photometric_interpretation}"
    bits = f"{image.bits_stored} stored in {image.bits_allocated}"
    vr = found.pixel_data_vr or "implicit"
    rows += [
        ("pixels", f"{size}, {kind}"),
        ("bits", f"{bits}, {'floating point' if image.floating else sign}"),
        ("Pixel Data", f"{found.pixel_data_length:,} bytes, VR {vr}"),
    ]
    if found.fragments:
        rows.append(("fragments", f"{found.fragments}, offset table: {found.offset_table}"))
    if stream is not None:
        precision = f", precision {stream.precision}" if stream.precision else ""
        rows.append(("stream", f"{stream.kind}: {stream.process}{precision}"))
        details = ", ".join(f"{name} {value}" for name, value in stream.details.items())
        rows.append(("", details))
    return rows


def _list_targets(found: Inspection) -> Iterator[tuple[str, str | None]]:
    possible = [
        target.name + (" (lossy)" if target.lossy else "")
        for target in found.targets
        if target.possible
    ]
    yield f"  can become: {', '.join(possible) or 'nothing'}", None
    refused: dict[str | None, list[str]] = {}
    for target in found.targets:
        if not target.possible:
            refused.setdefault(target.reason, []).append(target.name)
    for reason, names in refused.items():
        shown = "any" if len(names) == len(found.targets) else ", ".join(names)
        yield f"  not {shown}: {reason}", "dim"
