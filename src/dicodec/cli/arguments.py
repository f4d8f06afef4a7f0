"""Parse the arguments of the command; each subcommand's module declares its own ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from dicodec.cli.wrong_usage import WrongUsage
from dicodec.model.implementation import VERSION
from dicodec.model.records import NamedTuple

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, NoReturn

_WIDTH = 78
"""Columns of messages; argparse would ask the terminal at each argument."""


class Subcommand(NamedTuple):
    """A subcommand.

    Attributes:
        module: module with the functions `add_arguments` and `run`, imported if it is named.
        help: one line for the list of subcommands.
    """

    module: str
    help: str


SUBCOMMANDS = {
    "convert": Subcommand(
        "dicodec.cli.convert.command", "convert files to another transfer syntax"
    ),
    "compare": Subcommand("dicodec.cli.compare", "say how far two files are apart"),
    "inspect": Subcommand("dicodec.cli.inspect", "describe files and the targets they can have"),
    "syntaxes": Subcommand("dicodec.cli.syntaxes", "list transfer syntaxes and their images"),
    "jobs": Subcommand(
        "dicodec.cli.jobs", "show the ledger of a batch; send dead letters of a broker back"
    ),
    "policy": Subcommand(
        "dicodec.cli.policy", "print the rule of a policy that files meet, and why"
    ),
    "serve": Subcommand("dicodec.cli.serve", "serve a page and an HTTP interface to a queue"),
    "submit": Subcommand("dicodec.cli.submit", "put files into a queue to be converted"),
    "watch": Subcommand("dicodec.cli.watch", "convert files that appear in a folder"),
    "worker": Subcommand("dicodec.cli.worker", "carry out requests from a message broker"),
}
"""All subcommands by name, in the order of the help."""


class _Parser(argparse.ArgumentParser):
    """Raises WrongUsage, so that the caller decides how to print the error."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise WrongUsage(self.prog, message)


class _QuickParser(_Parser):
    """Does not ask for the width of the terminal."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=partial(argparse.HelpFormatter, width=_WIDTH))


class _PrintVersions(argparse.Action):
    """Prints the version, and more if its constant is true."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print, and end the program."""
        print(f"dicodec {VERSION}")
        if self.const:
            from dicodec.cli.versions import list_versions

            print("\n".join(list_versions()))
        parser.exit()


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command.

    Raises:
        WrongUsage: they cannot be parsed.
    """
    found, unknown = make_parser(arguments).parse_known_args(arguments)
    if unknown:
        raise WrongUsage(f"dicodec {found.command}", f"unrecognized arguments: {' '.join(unknown)}")
    return found


def make_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for some arguments.

    Only the subcommand that they name has its arguments, because its module is imported for them.
    """
    asks_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    kind: type[argparse.ArgumentParser] = _Parser if asks_for_help else _QuickParser
    parser = kind(
        prog="dicodec",
        description="Converts DICOM files from any transfer syntax to any other.",
        epilog="exit status: 0 all done, 1 some file failed, 2 wrong usage, 130 interrupted",
    )
    parser.add_argument(
        "--version",
        action=_PrintVersions,
        nargs=0,
        help="print the version; with -v those of what is used, and whether there are kernels",
        const=not {"-v", "--verbose"}.isdisjoint(arguments),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = next((one for one in arguments if one in SUBCOMMANDS), None)
    for name, subcommand in SUBCOMMANDS.items():
        command = commands.add_parser(name, help=subcommand.help)
        if name == named:
            import_module(subcommand.module).add_arguments(command)
    return parser
