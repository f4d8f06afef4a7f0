"""Wording for people and programs: text in one line, and options as an entrance names them.

An error's text has an option between backquotes, as in Python: `overwrite=True`, or `quality`. That
is how a call shows it. The command says --overwrite, a request "overwrite": true; --lossy is
lossy = true in a rule of a policy. Each entrance words the errors that pass through it, once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from dicodec.errors import DicodecError
from dicodec.model.option_table import OPTIONS, REQUEST, RULE, TO, Flag, Option

type Wording = Callable[[Option, str], str]
"""Words an option; its value is as Python writes it, "" if it has none."""

_NAMED = re.compile(r"`(\w+)(?:=([^`]*))?`")
_INSIDE = re.compile(r"""\w+\((.*)\)|\{["'](.*)["']: ["'](.*)["']\}|\[?["'](.*?)["']\]?|(.*)""")
"""The contents of a value: of Limits(...), {"keyword": "text"}, ["text"] or "text"; else all."""


def reword_error[Error: DicodecError](error: Error, wording: Wording) -> Error:
    """Word the options in an error's message and hint for an entrance, and return the error."""
    error.reword(lambda text: reword_text(text, wording))
    return error


def reword_text(text: str, wording: Wording) -> str:
    """Return a text with its options in other words; names of other things stay as they are."""

    def replace_name(match: re.Match[str]) -> str:
        option = TO if match[1] == TO.name else OPTIONS.get(match[1])
        return match[0] if option is None else wording(option, match[2] or "")

    return _NAMED.sub(replace_name, text)


def as_switch(option: Option, value: str) -> str:
    """Word an option as the command has it: --overwrite, --salvage fill, --set KEYWORD=VALUE."""
    if value in {"", "True"}:
        return option.switch
    match = _INSIDE.fullmatch(value)
    inside = "=".join(part for part in match.groups() if part is not None) if match else value
    return f"{option.switch}{'=' if isinstance(option.kind, Flag) else ' '}{inside}"


def as_field(option: Option, value: str) -> str:
    """Word an option as a request has it: "overwrite": true."""
    if not value or REQUEST not in option.taken_by:
        return option.name
    return f'"{option.name}": {_JSON.get(value, value)}'


def as_key(option: Option, value: str) -> str:
    """Word an option as a rule of a policy has it: lossy = true; or as a switch of the run."""
    if RULE not in option.taken_by:
        return as_switch(option, value)
    return f"{option.key} = {_JSON.get(value, value)}" if value else option.key


_JSON = {"True": "true", "False": "false"}


_ENDS_OR_MOVES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that end a line, or that a terminal reads as a command."""


def write_on_one_line(text: str) -> str:
    r"""Return a text for people, its control characters written as in Python: `\n`, `\x1b`."""
    return _ENDS_OR_MOVES.sub(lambda found: ascii(found[0])[1:-1], text)


def dump_json_line(fields: Any) -> str:
    r"""Return JSON in one line that can be encoded in UTF-8.

    Bytes of a name that are not text are surrogates in Python; JSON has `\udcff` for them, so a
    reader gets the name back.
    """
    text = json.dumps(fields, ensure_ascii=False)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def describe_end(process: str, status: int) -> str:
    """Say how a process ended.

    Args:
        process: its name: "the worker".
        status: its exit status, or the signal that ended it, negative.
    """
    import signal

    if status >= 0:
        return f"{process} ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"{process} was ended by {name}"
