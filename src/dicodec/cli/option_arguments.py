"""Declare options of a conversion as arguments, and parse sizes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache

from dicodec.model.option_table import Bounds, Choice, Flag, Number, Option, Texts, TextsByName

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

MOST_JOBS = 100_000
"""Processes at most, all machines of a cluster taken together."""

_LONGEST = 1e9
"""Thirty years, which any clock of the system can count."""


def parse_size_argument(text: str) -> int:
    """Return the bytes of a size such as 500M, 1.5G or 16GiB; for argparse.

    Raises:
        argparse.ArgumentTypeError: the text is not a size.
    """
    from dicodec.model.sizes import parse_size  # few commands are given one

    size = parse_size(text)
    if size is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M or 2G")
    return size


def parse_rate(text: str) -> int:
    """Return the bytes a second of a rate such as 50M/s or 50M; for argparse.

    Raises:
        argparse.ArgumentTypeError: the text is not a rate, or it is 0.
    """
    rate = parse_size_argument(text.strip().removesuffix("/s"))
    if not rate:
        raise argparse.ArgumentTypeError("nothing would ever be read at a rate of 0")
    return rate


@cache
def make_count_parser(least: int, most: int) -> Callable[[str], int]:
    """Return a function for argparse that takes whole numbers of a range, ends included."""

    def parse_count(text: str) -> int:
        try:
            count = int(text)
        except ValueError:
            count = least - 1
        if not least <= count <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return count

    return parse_count


@cache
def make_seconds_parser(least: float = 0.0, unit: str = "seconds") -> Callable[[str], float]:
    """Return a function for argparse that takes a time.

    Args:
        least: the shortest time.
        unit: the time's unit, for the message.
    """

    def parse_seconds(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not least <= seconds <= _LONGEST:
            from_least = f" from {least:g} on" if least else ""
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit}{from_least}")
        return seconds

    return parse_seconds


def add_option(command: argparse.ArgumentParser, option: Option) -> None:
    """Declare the switch of an option."""
    metavar = option.metavar
    given: dict[str, Any] = {"dest": option.name, "default": option.default}
    match option.kind:
        case Flag(words):
            # A flag that takes words can be turned off, too: --no-verify.
            action = argparse.BooleanOptionalAction if words else "store_true"
            command.add_argument(option.switch, action=action, help=_make_help(option), **given)
            for word in words:
                command.add_argument(
                    f"{option.switch}={word}",
                    action="store_const",
                    const=word,
                    dest=option.name,
                    help=words[word],
                )
            return
        case Number(lowest, highest, whole):
            given |= {"type": int if whole else float}
            metavar = metavar or f"{lowest}-{highest}"
        case Choice(words):
            given |= {"choices": words}
        case Texts() | TextsByName() | Bounds():
            given |= {"action": "append", "default": []}
    command.add_argument(option.switch, metavar=metavar, help=_make_help(option), **given)


def _make_help(option: Option) -> str:
    match option.kind:
        case Choice(words):
            shown = (f"{word} (default)" if word == option.default else word for word in words)
            return f"{option.about}: {', '.join(shown)}"
        case Number(lowest, highest) if option.metavar:
            return f"{option.about}; {lowest} to {highest}"
    return option.about
