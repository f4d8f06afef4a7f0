"""The arguments of `dicodec convert`; nothing heavy is imported to show its help."""

from __future__ import annotations

import argparse

from dicodec.cli.option_arguments import add_option
from dicodec.cli.sizes import size
from dicodec.model.option_table import OPTIONS, TO

type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_convert(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("convert", help="convert files to another transfer syntax")
    add = command.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="a file, a folder, a zip or tar archive, or - for standard input",
    )
    decision = command.add_mutually_exclusive_group(required=True)
    decision.add_argument(TO.switch, metavar=TO.metavar, help=f"{TO.help}; see `dicodec syntaxes`")
    decision.add_argument(
        "--policy",
        metavar="POLICY",
        help="let the rules of a profile or of a TOML file decide; see `dicodec policy list`",
    )
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "-o",
        "--output",
        metavar="OUTPUT",
        help="a file, a folder, or - for standard output",
    )
    place.add_argument(
        "--in-place", action="store_true", help="replace each source by its verified result"
    )
    for option in OPTIONS.values():
        add_option(command, option)
    add("--skip-existing", action="store_true", help="pass over a source whose target is there")
    _add_batch(command)
    add("--dry-run", action="store_true", help="only say what would be done")
    add("--report", metavar="FILE", help="write a report of every file, one JSON object a line")
    add("--json", action="store_true", help="print reports and errors as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="store_true", help="print decisions and changes too")


def _add_batch(command: argparse.ArgumentParser) -> None:
    """Declare what folders, archives and many files are converted with."""
    add = command.add_argument
    add("--jobs", type=int, metavar="N", help="processes for a batch (default: one a core)")
    add("--memory", type=size, metavar="SIZE",
        help="memory that one of them may take, such as 2G")  # fmt: skip
    add("--layout", metavar="TEMPLATE",
        help="places of results, made of attributes: {PatientID}/{SOPInstanceUID}.dcm")  # fmt: skip
    add("--hidden", action="store_true", help="take hidden files and folders of a folder too")
    add("--ledger", metavar="FILE", help="the ledger (default: in the output folder)")
    add("--resume", action="store_true",
        help="go on with an earlier run: leave out what its ledger says is done")  # fmt: skip
    add("--digests", action="store_true", help="enter SHA-256 of sources and results in the ledger")
