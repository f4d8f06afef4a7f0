"""Options of a conversion as arguments of a command, made from their declarations."""

from __future__ import annotations

import argparse
from typing import Any

from dicodec.model.option_table import Bounds, Choice, Flag, Number, Option, Texts, TextsByName


def add_option(command: argparse.ArgumentParser, option: Option) -> None:
    """Declare the switch of an option."""
    metavar = option.metavar
    given: dict[str, Any] = {"dest": option.name, "default": option.default}
    match option.kind:
        case Flag(words):
            # What takes words can be said to be off, too: --no-verify.
            action = argparse.BooleanOptionalAction if words else "store_true"
            command.add_argument(option.switch, action=action, help=_help(option), **given)
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
    command.add_argument(option.switch, metavar=metavar, help=_help(option), **given)


def _help(option: Option) -> str:
    match option.kind:
        case Choice(words):
            shown = (f"{word} (default)" if word == option.default else word for word in words)
            return f"{option.about}: {', '.join(shown)}"
        case Number(lowest, highest) if option.metavar:
            return f"{option.about}; {lowest} to {highest}"
    return option.about
