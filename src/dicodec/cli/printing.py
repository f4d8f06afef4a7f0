"""Exit statuses, and lines for people: each error is one line.

The module imports next to nothing, because the command loads it before it can handle Ctrl-C.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import TextIO

    from dicodec.errors import DicodecError

SOME_FAILED, WRONG_USAGE, STOPPED, HUNG_UP, INTERRUPTED, TERMINATED = 1, 2, 3, 129, 130, 143
"""Exit statuses; the last three are 128 and the number of the signal."""

CLOSED_OUTPUT = "<closed standard output>"
"""Name of the stream that stands in for a closed standard output."""


def is_output_closed() -> bool:
    """Whether the command was started with its standard output closed."""
    return sys.stdout is None or getattr(sys.stdout, "name", None) == CLOSED_OUTPUT


def print_address(text: str) -> None:
    """Print where a service listens; one whose standard output is closed goes without."""
    if not is_output_closed():
        print(text, flush=True)


def find_status(error: DicodecError) -> int:
    """Return the exit status for an error that ends a subcommand."""
    from dicodec.errors import InvalidOptionError, RequestError, UnsupportedTargetError

    wrong = isinstance(error, InvalidOptionError | RequestError | UnsupportedTargetError)
    return WRONG_USAGE if wrong else SOME_FAILED


def print_error(error: DicodecError) -> None:
    """Print an error as one line on standard error."""
    print_line(f"dicodec: {name_switches(error)} [{error.code}]", sys.stderr)


def print_failure(error: DicodecError, *, as_json: bool, data_on_stdout: bool = False) -> None:
    """Print an error, for people or as JSON.

    Args:
        error: the error.
        as_json: whether to print JSON, on standard output, instead of a line.
        data_on_stdout: whether standard output has data, so JSON goes to standard error.
    """
    if not as_json:
        print_error(error)
        return
    from dicodec.model.wording import dump_json_line

    stream = sys.stderr if data_on_stdout else sys.stdout
    print(dump_json_line({"error": name_switches(error).as_dict()}), file=stream)


def name_switches[Error: DicodecError](error: Error) -> Error:
    """Name options as switches in an error's message and hint, and return the error."""
    from dicodec.model.wording import as_switch, reword_error

    return reword_error(error, as_switch)


def print_line(text: str, stream: TextIO) -> None:
    """Print one line for people; line feeds and other control characters in it are escaped."""
    from dicodec.model.wording import write_on_one_line

    print(write_on_one_line(text), file=stream)
