"""Parse the arguments of a subcommand; its module declares them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.cli.wrong_usage import WrongUsage

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, NoReturn

_WIDTH = 78
"""Columns of messages; argparse would ask the terminal at each argument."""


class _Parser(argparse.ArgumentParser):
    """Raises WrongUsage, so that the caller decides how to print the error."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise WrongUsage(self.prog, message)


class _QuickParser(_Parser):
    """Does not ask for the width of the terminal."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, formatter_class=partial(argparse.HelpFormatter, width=_WIDTH))


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments of the command: the name of a subcommand, and the subcommand's own.

    Raises:
        WrongUsage: they cannot be parsed.
    """
    there_are = f"there are {', '.join(SUBCOMMANDS)}"
    if not arguments:
        raise WrongUsage("dicodec", f"a subcommand is required: {there_are}")
    name, *own = arguments
    if name not in SUBCOMMANDS:
        raise WrongUsage("dicodec", f"there is no subcommand {name!r}: {there_are}")
    found, unknown = make_parser(name, own).parse_known_args(own)
    if unknown:
        raise WrongUsage(f"dicodec {name}", f"unrecognized arguments: {' '.join(unknown)}")
    found.command = name
    return found


def make_parser(name: str, arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of a subcommand.

    Args:
        name: of the subcommand.
        arguments: those that will be parsed.
    """
    asks_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    kind: type[argparse.ArgumentParser] = _Parser if asks_for_help else _QuickParser
    parser = kind(prog=f"dicodec {name}")
    module, _ = SUBCOMMANDS[name]
    import_module(module).add_arguments(parser)
    return parser
