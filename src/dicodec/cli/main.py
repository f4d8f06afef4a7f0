"""The entry of the command: handle signals, errors and closed streams, return the exit status.

Python takes a while to load modules, and an interruption in that time must not print a traceback.
So this module loads next to nothing at first, and everything else within `run`, which catches it.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys

from dicodec.cli.printing import (
    CLOSED_OUTPUT,
    HUNG_UP,
    INTERRUPTED,
    SOME_FAILED,
    TERMINATED,
    WRONG_USAGE,
    find_status,
    print_error,
    print_line,
)

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Buffer, Sequence
    from typing import NoReturn, TextIO

    from dicodec.batch.pool.template import Template
    from dicodec.cli.wrong_usage import WrongUsage

_OBJECTS_BEFORE_COLLECTION = 50_000

_OUTPUT = "<standard output>"
"""The name of a file in errors of standard output."""


def main() -> None:
    """Run the command, and end this process with its exit status."""
    # Modules are not garbage. To look through them again and again takes 5 % of a small conversion.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    try:
        status = run()
    except _Terminated as ending:
        # Python would wait for threads that whatever was being started has left, maybe for good.
        _leave(ending.status)
    threading = sys.modules.get("threading")
    if threading is None or threading.active_count() == 1:
        # All is written and closed. Python would now take its modules apart one by one, which
        # takes longer than to convert a slice.
        _leave(status)
    sys.exit(status)


class _Terminated(SystemExit):
    """A signal ends the command, after its temporary files are removed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _leave(status: int) -> NoReturn:
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(status)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status.

    Args:
        arguments: arguments of the command; None for those of the process.

    Returns:
        0 if all is done, otherwise a status of `dicodec.cli.printing`.
    """
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _end_for(error)


def _run(given: Sequence[str]) -> int:
    from dicodec.cli.subcommands import answer_without_subcommand, print_help

    _settle_streams()
    if not given:  # it is no success: a script whose list of arguments is empty has to notice
        print_help(sys.stderr)
        return WRONG_USAGE
    if answer_without_subcommand(given):
        return _flush_output(0)
    template = _start_template(given)
    try:
        return _run_subcommand(given, template)
    finally:
        if template is not None:
            template.close()


def _start_template(given: Sequence[str]) -> Template | None:
    """Start the template of the workers of a batch, before most modules are loaded."""
    if given[0] != "convert":
        return None
    from dicodec.cli.convert.ahead import start_template

    return start_template(given[1:])


def _run_subcommand(given: Sequence[str], template: Template | None) -> int:
    from importlib import import_module

    from dicodec.cli.arguments import parse_arguments
    from dicodec.cli.subcommands import SUBCOMMANDS
    from dicodec.cli.wrong_usage import WrongUsage
    from dicodec.errors import DicodecError
    from dicodec.model.platforms import find_ending_signals

    status: int
    # NumPy's BLAS, which nothing here uses, starts a thread for each core when it is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        arguments = parse_arguments(given)
    except WrongUsage as wrong:
        _print_wrong_usage(wrong, given)
        return WRONG_USAGE
    except SystemExit:  # argparse has printed the help
        if status := _flush_output(0):
            return status
        raise
    arguments.template = template
    before = {number: signal.signal(number, _terminate) for number in find_ending_signals()}
    try:
        status = import_module(SUBCOMMANDS[arguments.command][0]).run(arguments)
    except WrongUsage as wrong:  # what the parser cannot know
        _print_wrong_usage(wrong, given)
        status = WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        status = find_status(error)
    except OSError as error:
        return _end_for(error)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return _flush_output(status)


def _flush_output(status: int) -> int:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _give_up_output(error, status)
    return status


def _settle_streams() -> None:
    """Prepare standard output and error for names that are not text, and for being closed."""
    if sys.stdout is None:
        sys.stdout = _stand_in_for_output()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    sys.stdout, sys.stderr = _wait_for_pipe(sys.stdout), _wait_for_pipe(sys.stderr)
    sys.stdout = _name_errors(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name may not be text
            stream.reconfigure(errors="backslashreplace")


def _stand_in_for_output() -> TextIO:
    """Return a stream in place of a closed standard output: to write to it is an error.

    Python has none at all, and `print` would lose what it is given without a word.
    """
    if TYPE_CHECKING:
        raw = io.FileIO(os.devnull)
    else:
        raw = io.FileIO(os.open(os.devnull, os.O_RDONLY), "wb")  # the system refuses each write
        raw.name = CLOSED_OUTPUT
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")


def _wait_for_pipe(stream: TextIO) -> TextIO:
    """Return standard output or error; one that does not block is waited for at each write.

    Whoever started the command shares the pipe, so it is not made to block.
    """
    try:
        blocks = os.get_blocking(stream.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or a test's
        return stream
    if blocks:
        return stream
    from dicodec.conversion.output.target_stream import WaitingFile

    return io.TextIOWrapper(
        io.BufferedWriter(WaitingFile(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        line_buffering=stream.isatty() or stream is sys.stderr,
    )


class _Output(io.FileIO):
    """The file of standard output, whose errors name it: nothing else tells them from others.

    Args:
        stream: standard output as it was, which stays open with this object.
        file: of the stream.
    """

    def __init__(self, stream: TextIO, file: io.FileIO) -> None:
        super().__init__(file.fileno(), "wb", closefd=False)
        self.name = file.name
        self._stream, self._file = stream, file

    def write(self, data: Buffer, /) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            error.filename = _OUTPUT
            raise


def _name_errors(stream: TextIO) -> TextIO:
    """Return standard output as a stream whose errors name it, unless it is a caller's."""
    if type(stream) is not io.TextIOWrapper:
        return stream
    file = getattr(stream.buffer, "raw", stream.buffer)  # python -u has no buffer between
    if not isinstance(file, io.FileIO) or isinstance(file, _Output):
        return stream
    named = _Output(stream, file)
    return io.TextIOWrapper(
        named if file is stream.buffer else io.BufferedWriter(named),
        encoding=stream.encoding,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _terminate(number: int, frame: object) -> None:  # noqa: ARG001
    """End as an interrupted program does, so that temporary files are removed."""
    hang_up = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
    for one in (signal.SIGTERM, hang_up):  # a second signal would interrupt the clean-up
        signal.signal(one, signal.SIG_IGN)
    raise _Terminated(TERMINATED if number == signal.SIGTERM else HUNG_UP)


def _end_for(error: OSError) -> int:
    """Print an error of the operating system that nobody has expected, and return the status."""
    if error.filename == _OUTPUT or isinstance(error, BrokenPipeError):
        return _give_up_output(error, 0)
    _report_refusal(error)
    return _flush_output(SOME_FAILED)


def _give_up_output(error: OSError, status: int) -> int:
    # Python would write the rest of the buffer once more at the end, and fail once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):  # a reader that is gone has read enough
        from dicodec.errors import WriteError

        print_error(WriteError(f"cannot write to standard output: {error.strerror}"))
    return status or SOME_FAILED


def _report_refusal(error: OSError) -> None:
    from dicodec.errors import InternalError, SourceUnavailableError

    if error.filename is not None:  # such as one with too long a name
        path = os.fsdecode(error.filename)
        print_error(SourceUnavailableError(f"it cannot be used: {error.strerror}", path=path))
    elif isinstance(error, FileNotFoundError):  # of os.getcwd
        print_error(SourceUnavailableError("the current folder does not exist any more"))
    else:
        print_error(InternalError(f"the operating system refused: {error.strerror or error}"))


def _print_wrong_usage(wrong: WrongUsage, given: Sequence[str]) -> None:
    from itertools import pairwise

    from dicodec.errors import InvalidOptionError

    error = InvalidOptionError(wrong.message, hint=f"see {wrong.program} --help")
    if "--json" in given:
        from dicodec.model.wording import dump_json_line

        with_data = not {("-o", "-"), ("--output", "-")}.isdisjoint(pairwise(given))
        stream = sys.stderr if with_data else sys.stdout
        print(dump_json_line({"error": error.as_dict()}), file=stream)
    else:
        print_line(f"{wrong.program}: error: {error} [{error.code}]", sys.stderr)


if __name__ == "__main__":
    main()
