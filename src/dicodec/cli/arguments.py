"""Parse the arguments of a subcommand; its module declares them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.cli.wrong_usage import WrongUsage
from dicodec.model.implementation import VARIABLE_PREFIX

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from _typeshed import SupportsWrite

_WIDTH = 78
"""Columns of messages; argparse would ask the terminal at each argument."""


class Parser(argparse.ArgumentParser):
    """Raises WrongUsage, so that the caller decides how to print the error."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise WrongUsage(self.prog, message)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; argparse would pass over an output that takes nothing."""
        (file or sys.stdout).write(self.format_help())

    @property
    def arguments(self) -> list[argparse.Action]:
        """The actions of all arguments."""
        return self._actions

    @property
    def options(self) -> list[argparse.Action]:
        """The actions of all options, in the order of the help."""
        return [action for action in self._actions if action.option_strings]

    @property
    def rivals(self) -> list[set[str]]:
        """Destinations of options that exclude each other."""
        groups = self._mutually_exclusive_groups
        return [{action.dest for action in group._group_actions} for group in groups]  # noqa: SLF001 - argparse shows them nowhere else

    def forget_defaults(self) -> None:
        """Have arguments parsed to the given ones alone; none is required."""
        for action in self._actions:
            action.default, action.required = argparse.SUPPRESS, False
        for group in self._mutually_exclusive_groups:
            group.required = False


class _QuickParser(Parser):
    """Does not ask for the width of the terminal."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=partial(argparse.HelpFormatter, width=_WIDTH))


class _HelpfulParser(Parser):
    """Keeps the lines of its examples."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=argparse.RawDescriptionHelpFormatter)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command: the name of a subcommand, and the subcommand's own.

    Returns:
        The arguments; besides them `command` is the subcommand, and `preset` has the destinations
        of options that come from the environment or a file.

    Raises:
        WrongUsage: they cannot be parsed.
    """
    name, *own = arguments
    if name not in SUBCOMMANDS:
        from dicodec.model.similar_names import suggest

        there_are = f"there are {', '.join(SUBCOMMANDS)}"
        hint = there_are if name.startswith("-") else suggest(name, SUBCOMMANDS, there_are)
        raise WrongUsage("dicodec", f"there is no subcommand {name!r}: {hint}")
    parser, preset = make_parser(name, own), frozenset[str]()
    if _has_sources(own) and not _asks_for_help(own):
        from dicodec.cli.option_sources import add_arguments_of_sources

        own, preset = add_arguments_of_sources(name, make_parser, own, os.environ)
    found, unknown = parser.parse_known_args(own)
    if unknown:
        raise _report_unknown(parser, unknown)
    if any(one.endswith("=") or not one for one in own):
        _refuse_empty(parser, found)
    found.command, found.preset = name, preset
    return found


def _refuse_empty(parser: Parser, found: argparse.Namespace) -> None:
    """Refuse arguments without a text, as a shell makes them of a variable that is not set.

    An empty name of a folder would mean the current one, and that of a ledger none at all.

    Raises:
        WrongUsage: an argument is empty.
    """
    for action in parser.arguments:
        value = getattr(found, action.dest, None)
        if value == "" or (isinstance(value, list) and "" in value):
            raise WrongUsage(
                parser.prog, f"{'/'.join(action.option_strings) or action.metavar} is empty"
            )


def _report_unknown(parser: Parser, unknown: Sequence[str]) -> WrongUsage:
    """Return the error of arguments that the parser does not know."""
    from dicodec.model.similar_names import suggest

    known = [one for option in parser.options for one in option.option_strings]
    option = next((one.partition("=")[0] for one in unknown if one.startswith("--")), "")
    hint = suggest(option, known, "") if option else ""
    words = f"unrecognized arguments: {' '.join(unknown)}"
    return WrongUsage(parser.prog, f"{words}; {hint}" if hint else words)


def _has_sources(arguments: Sequence[str]) -> bool:
    """Whether options may come from the environment or a file; argparse takes --conf for --config.

    Most calls have none, and do not load the readers.
    """
    return any(one.startswith("--c") for one in arguments) or any(
        name.startswith(VARIABLE_PREFIX) for name in os.environ
    )


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return not {"-h", "--help"}.isdisjoint(arguments)


def make_parser(name: str, arguments: Sequence[str] = ()) -> Parser:
    """Return the parser of a subcommand.

    Args:
        name: of the subcommand.
        arguments: those that will be parsed.
    """
    helps = _asks_for_help(arguments)
    parser = (_HelpfulParser if helps else _QuickParser)(prog=f"dicodec {name}")
    module, _ = SUBCOMMANDS[name]
    import_module(module).add_arguments(parser)
    parser.add_argument("--config", metavar="FILE",
        help="file of options in TOML, one table a command; the command line goes before variables "
        "such as DICODEC_JOBS, they before the file, the file before the default")  # fmt: skip
    if helps:
        from dicodec.cli.help_layout import lay_out

        lay_out(parser, name)
    return parser
