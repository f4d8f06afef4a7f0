"""Runs programs as whole processes and says what they took; compares the samples they wrote.

The kernel counts a process's peak memory from its fork on, so whoever measures has to be small:
neither this module nor the programs that use it import NumPy.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONVERT = (sys.executable, "-m", "dicodec.cli.main", "convert", "--quiet", "--overwrite")
MAKE = (sys.executable, str(Path(__file__).with_name("made_file.py")))
_PIECE = 1 << 20
_FOLDERS = re.compile(r"(?:file://)?(?<![\w.~-])/(?:[^\s/\"'()]+/)+")
"""Of a file's path: where a machine has it is nobody's business in results that are kept."""
_ENVIRONMENT = {
    # As where a package was installed: its modules are compiled once, not at each start.
    name: value
    for name, value in os.environ.items()
    if name != "PYTHONDONTWRITEBYTECODE"
}


class FailedError(Exception):
    """A program that is measured failed, or wrote other samples than it read."""


class TooLongError(FailedError):
    """A program that is measured took longer than it may, and was ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of all its threads, in user and system mode.
        peak: bytes of resident memory at most.
    """

    wall: float
    cpu: float
    peak: int


def run(
    command: Sequence[str | Path], *, names: Path | None = None, timeout: float | None = None
) -> Run:
    """Run a program to its end, with all that it starts.

    Args:
        command: the program and its arguments.
        names: a file that it gets as its standard input.
        timeout: seconds after which it is ended, and what it started with it.

    Raises:
        FailedError: its exit status is not 0.
        TooLongError: it did not end in time.
    """
    given = names.open("rb") if names else subprocess.DEVNULL
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        ended = threading.Event()
        alarm = threading.Timer(timeout or 0, _end, (process.pid, ended))
        if timeout:
            alarm.start()
        try:
            said = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            alarm.cancel()
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if not isinstance(given, int):
        given.close()
    if ended.is_set():
        raise TooLongError(f"> {timeout:g} s")
    if process.returncode:
        text = _FOLDERS.sub("", said.decode("utf-8", "replace")).strip()
        name = Path(command[0]).name
        raise FailedError(f"{name} failed with status {process.returncode}: {text[-400:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _end(group: int, ended: threading.Event) -> None:
    ended.set()
    os.killpg(group, signal.SIGKILL)


def own_peak() -> int:
    """Return the peak of this process: no process it starts can show less.

    Of this program alone: what getrusage says includes the process that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def converted(source: Path, target: Path, syntax: str) -> Run:
    """Convert a file with dicodec, as its users do: a process of its own."""
    return run([*CONVERT, source, "--to", syntax, "-o", target])


def samples_digest(path: Path, size: int, *, big_endian: bool = False) -> str:
    """Return a digest of the last `size` bytes of a native file: its samples, little endian.

    Args:
        path: a file of made_file.py in a native transfer syntax; Pixel Data is its last element.
        size: bytes that its samples take.
        big_endian: whether they have the other byte order.

    Raises:
        FailedError: the file is shorter.
    """
    if path.stat().st_size < size:
        raise FailedError("the result is shorter than its samples")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(-size, os.SEEK_END)
        while piece := file.read(_PIECE):
            if big_endian:
                swapped = bytearray(len(piece))
                swapped[::2], swapped[1::2] = piece[1::2], piece[::2]
                piece = bytes(swapped)
            digest.update(piece)
    return digest.hexdigest()


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns; the first column to the left, all others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
