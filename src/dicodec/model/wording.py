"""Wording for people and programs: text in one line, and options as an entrance names them.

An error's text has an option between backquotes, as in Python: `overwrite=True`, or `quality`. That
is how a call shows it. The command says --overwrite, a request "overwrite": true; --lossy is
lossy = true in a rule of a policy. Each entrance words the errors that pass through it, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from dicodec.errors import DicodecError
from dicodec.model.option_table import OPTIONS, REQUEST, RULE, TO, Flag, Option

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

type Wording = Callable[[Option, str], str]
"""Words an option; its value is as Python writes it, "" if it has none."""

_NAMED = r"`(\w+)(?:=([^`]*))?`"  # patterns are compiled at their first use, which few starts see
_INSIDE = r"""\w+\((.*)\)|\{["'](.*)["']: ["'](.*)["']\}|\[?["'](.*?)["']\]?|(.*)"""
"""The contents of a value: of Limits(...), {"keyword": "text"}, ["text"] or "text"; else all."""

_SIZE_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")

_JSON = {"True": "true", "False": "false"}
_WORDS = r"(?s)\(.*\)"
"""Everything from the first bracket to the last one."""


def reword_error[Error: DicodecError](error: Error, wording: Wording) -> Error:
    """Word the options in an error's message and hint for an entrance, and return the error."""
    error.reword(lambda text: reword_text(text, wording))
    return error


def reword_text(text: str, wording: Wording) -> str:
    """Return a text with its options in other words; names of other things stay as they are."""

    def replace_name(match: re.Match[str]) -> str:
        option = TO if match[1] == TO.name else OPTIONS.get(match[1])
        return match[0] if option is None else wording(option, match[2] or "")

    return re.sub(_NAMED, replace_name, text)


def as_switch(option: Option, value: str) -> str:
    """Word an option as the command has it: --overwrite, --salvage fill, --set KEYWORD=VALUE."""
    if value in {"", "True"}:
        return option.switch
    match = re.fullmatch(_INSIDE, value)
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


_FORMATS = (
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
"""Characters that are not seen and change how others are, such as U+202E: categories Cf, Zl, Zp."""

_HIDDEN = f"[\x00-\x1f\x7f-\x9f{_FORMATS}]"
"""Characters that end a line, that a terminal reads as a command, or that are not seen."""

_HIDDEN_IN_JSON = f"[\x7f-\x9f{_FORMATS}]"


def write_on_one_line(text: str) -> str:
    r"""Return a text for people, its hidden characters written as in Python: `\n`, `\u202e`."""
    if text.isprintable():
        return text
    return re.sub(_HIDDEN, lambda found: ascii(found[0])[1:-1], text)


def describe_fault(cause: BaseException) -> str:
    """Describe an exception that nothing expected: kind, words, and place in this program.

    An error of the operating system is described without the file's name. Logs leave all words out;
    see `leave_words_out`.
    """
    shown = repr(cause)
    if isinstance(cause, OSError):
        shown = f"{type(cause).__name__}({cause.strerror or ''})"
    trace, place = cause.__traceback__, ""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith("dicodec"):
            place = f" at {name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"a fault in dicodec: {shown}{place}"


def leave_words_out(fault: str) -> str:
    """Return the description of a fault without the exception's own words, for a log.

    They may quote a path or a patient's name.
    """
    return re.sub(_WORDS, "", fault)


def dump_json_line(fields: Any) -> str:
    r"""Return JSON in one line that can be encoded in UTF-8.

    Bytes of a name that are not text are surrogates in Python; JSON has `\udcff` for them, so a
    reader gets the name back. Characters that are not seen are escaped, too.
    """
    text = _make_json_encoder()(fields)
    if text.isascii():
        return text
    import json

    text = re.sub(_HIDDEN_IN_JSON, lambda found: json.dumps(found[0])[1:-1], text)
    return text.encode(errors="backslashreplace").decode()


@cache
def _make_json_encoder() -> Callable[[Any], str]:
    """Return a function that writes JSON; `json.dumps` makes one for each call."""
    from json import JSONEncoder  # for few calls of the command

    return JSONEncoder(ensure_ascii=False).encode


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


def format_size(size: int) -> str:
    """Return a number of bytes as text for people: 999 bytes, 1.0 kB, 105.8 MB; in powers of 1,000.

    As `rich.filesize.decimal` does, without the 10 ms that it takes to load.
    """
    if size < 1000:
        return f"{size} byte{'' if size == 1 else 's'}"
    power = min((len(str(size)) - 1) // 3, len(_SIZE_UNITS))
    return f"{size / 1000**power:,.1f} {_SIZE_UNITS[power - 1]}"
