"""Messages: between a pool, its workers and its template."""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import cache

from dicodec.errors import DicodecError, InternalError, MemoryExceededError
from dicodec.model.records import dataclass, field
from dicodec.model.wording import describe_fault

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from dicodec.conversion.output.placement import Placement

REQUEST = struct.Struct("=iqd")
"""To the template: what is asked for, a number, and seconds of patience."""

PREPARE, START, LEAVE, END = 0, 1, 2, 3
"""Carry out a preparation, of which so many bytes follow; start the worker of a number, with its
three descriptors; have it abandon its item; end it, and answer."""

ANSWER = struct.Struct("=ii")
"""Of the template: whether the worker was started, and its status as os.waitstatus_to_exitcode
gives it; or the number of the error because of which it could not be."""


class Word(IntEnum):
    """First field of every message to the pool, sent as a number: names take longer to pickle."""

    READY = 0
    """The worker has started; its process id follows."""
    RESULT = 1
    ERROR = 2
    PROGRESS = 3
    NOT_BEGUN = 4
    PLACED = 5
    """Several messages, each as it would be sent, about results that were put in place."""


@dataclass(frozen=True, slots=True)
class WorkContext:
    """The worker's services for the work on one item.

    Attributes:
        threads: threads that the work may use at once.
        began: when the first attempt began, in seconds since 1970, if that ended with its process,
            at an unknown point; None in a first attempt.
        report: sends a picklable value to the pool, as progress.
        placement: takes over a finished file and puts it in place later, with others.
        kept: values that works keep in this process for further items, by their classes.
    """

    threads: int
    began: float | None
    report: Callable[[Any], None]
    placement: Placement
    kept: dict[type, Any] = field(default_factory=dict)


type Work = Callable[[Any, Any, WorkContext], Any]
"""Function of a module: (settings of the group, item, context) -> result, all picklable."""

type CleanUp = Callable[[Any, Any], None]
"""Function of a module: (settings of the group, item) -> None. It removes the files that the work
leaves of an item if its process is killed, never those of another process; it raises nothing."""


@cache
def _find_function(module: str, function: str) -> Callable[..., Any]:
    """Import a module and return a function of it."""
    from importlib import import_module

    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


@dataclass(frozen=True, slots=True)
class WorkOfModule:
    """A work, or a clean-up, that the pool's process only names, because it is slow to import.

    Attributes:
        module: dotted name of the module.
        function: name of the function in it.
    """

    module: str
    function: str

    def __call__(self, *arguments: Any) -> Any:
        """Import the module and call the function."""
        return _find_function(self.module, self.function)(*arguments)


@dataclass(frozen=True, slots=True)
class Preparation:
    """A preparation: a function that the template calls before it forks workers.

    Attributes:
        module: dotted name of the module.
        function: name of the function in it.
        arguments: of the function.
    """

    module: str
    function: str
    arguments: tuple[Any, ...] = ()

    def carry_out(self) -> None:
        """Import the module and call the function."""
        _find_function(self.module, self.function)(*self.arguments)


@dataclass(frozen=True, slots=True)
class GroupMessage:
    """A group of items, as it is sent to a worker.

    Attributes:
        work: function that is called for each item.
        settings: value that all items share.
        items: the items, in order.
        threads: threads for each item.
        began: see `WorkContext`.
    """

    work: Work
    settings: Any
    items: Sequence[Any]
    threads: int
    began: float | None


def translate_failure(cause: Exception) -> DicodecError:
    """Return the error of an item whose work raised an exception."""
    match cause:
        case DicodecError():
            return cause
        case MemoryError():
            return MemoryExceededError("no memory is left")
        case _:
            return InternalError(describe_fault(cause), hint="please report it with the file")
