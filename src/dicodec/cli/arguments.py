"""The arguments of all subcommands; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from dicodec.cli.convert.arguments import Commands, add_convert
from dicodec.cli.option_arguments import add_option
from dicodec.cli.service_arguments import add_serve, add_submit, add_watch
from dicodec.cli.worker_arguments import QUEUE, add_worker
from dicodec.model.implementation import VERSION
from dicodec.model.option_table import OPTIONS


class WrongUsage(Exception):  # noqa: N818 - the program is well
    """Arguments that cannot be understood.

    Attributes:
        program: the command, with the subcommand where that is known.
        message: what is wrong with them.
    """

    def __init__(self, program: str, message: str) -> None:
        super().__init__(message)
        self.program = program
        self.message = message


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller how an error is told."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise WrongUsage(self.prog, message)


class _QuickParser(_Parser):
    """Takes the usual width of a terminal for granted, which it would ask for at each argument."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=partial(argparse.HelpFormatter, width=78))


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the arguments say.

    Raises:
        WrongUsage: they cannot be understood.
    """
    found, unknown = command_parser(arguments).parse_known_args(arguments)
    if unknown:
        raise WrongUsage(f"dicodec {found.command}", f"unrecognized arguments: {' '.join(unknown)}")
    return found


def command_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return what reads the arguments; of the subcommand alone, where it is named first."""
    asked_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    kind: type[argparse.ArgumentParser] = _Parser if asked_for_help else _QuickParser
    parser = kind(
        prog="dicodec",
        description="Converts DICOM files from any transfer syntax to any other.",
        epilog="exit status: 0 all done, 1 some file failed, 2 wrong usage, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"dicodec {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    first = arguments[0] if arguments else ""
    for name, add in _ADDED.items():
        if first == name or first not in _ADDED:
            add(commands)
    return parser


def _add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="say how far two files are apart",
        epilog="exit status: 0 equal, 1 different or not readable, 2 wrong usage",
    )
    add = command.add_argument
    add("a", metavar="A", help="a file, or - for standard input")
    add("b", metavar="B", help="what it is compared with: a file, or -")
    add("--tolerance", type=float, default=0, metavar="N",
        help="largest error of a sample that counts as equal (default 0)")  # fmt: skip
    add("--allow", action="append", default=[], metavar="KEYWORD",
        help="an attribute that may differ; may be repeated")  # fmt: skip
    add("--ignore-attributes", action="store_true", help="compare pixels only")
    add("--picture", metavar="FILE.png",
        help="show a frame of A, of B, and their difference side by side")  # fmt: skip
    add("--frame", type=int, metavar="N",
        help="frame of the picture, from 0 (default: the one with the largest error)")  # fmt: skip
    add_option(command, OPTIONS["workers"])
    add("--json", action="store_true", help="print the comparison as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="store_true", help="print every frame that differs")
    add_option(command, OPTIONS["limits"])


def _add_inspect(commands: Commands) -> None:
    command = commands.add_parser("inspect", help="say what a file is and what it can become")
    command.add_argument("source", nargs="+", metavar="FILE", help="a file, or -")
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    add_option(command, OPTIONS["limits"])


def _add_syntaxes(commands: Commands) -> None:
    command = commands.add_parser("syntaxes", help="list transfer syntaxes and what they can hold")
    command.add_argument("--json", action="store_true", help="as one JSON array")


def _add_jobs(commands: Commands) -> None:
    command = commands.add_parser(
        "jobs", help="show what a ledger knows of a batch; send dead letters of a broker back"
    )
    add = command.add_argument
    add("ledger", metavar="LEDGER",
        help="a ledger, or the output folder that it is in; or retry, with --broker")  # fmt: skip
    add("action", nargs="?", default="summary", metavar="ACTION",
        choices=("summary", "list", "export"),
        help="numbers by cause (default), a line a file, or all that is known")  # fmt: skip
    add("--state", action="append", default=[], choices=_STATES,
        help="only files in this state; may be repeated")  # fmt: skip
    add("--format", default="text", choices=("text", "csv", "json"),
        help="text (default), csv, or json: one object a line")  # fmt: skip
    add("--broker", metavar="URL", help="whose dead letters `dicodec jobs retry` sends back")
    add("--queue", default=QUEUE, metavar="NAME", help=f"of the requests there (default {QUEUE})")
    add("--cause", metavar="CODE", help="only dead letters with this error code")


_STATES = ("pending", "running", "done", "left alone", "skipped", "failed")


def _add_policy(commands: Commands) -> None:
    command = commands.add_parser("policy", help="say what a policy does with files, and why")
    add = command.add_argument
    add("action", metavar="ACTION", choices=("check", "list", "show"),
        help="check files or the policy itself, list the profiles, or show one")  # fmt: skip
    add("name", nargs="*", metavar="NAME", help="files to check, or the profile to show")
    add("--policy", metavar="POLICY", help="a profile, or a file in TOML")
    add("--json", action="store_true", help="one JSON object a line")


_ADDED: dict[str, Callable[[Commands], None]] = {
    "convert": add_convert,
    "compare": _add_compare,
    "inspect": _add_inspect,
    "syntaxes": _add_syntaxes,
    "jobs": _add_jobs,
    "policy": _add_policy,
    "serve": add_serve,
    "submit": add_submit,
    "watch": add_watch,
    "worker": add_worker,
}
"""What adds each subcommand's arguments, in the order of the help."""
