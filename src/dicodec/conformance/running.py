"""Run a converter over one file: in a process group of its own, within time and memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from dicodec.model.platforms import bound_memory, kill_group
from dicodec.model.records import dataclass

_WORDS_KEPT = 300
_SIGNALS_IN_SHELL = range(128 + 1, 128 + 32)
"""Exit status of a shell, or another program, whose child a signal ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a converter ended.

    Attributes:
        status: its exit status, or the signal that ended it, negative; None if it was killed
            because it took too long.
        words: the end of what it printed.
        seconds: that it took.
    """

    status: int | None
    words: str
    seconds: float

    @property
    def crashed(self) -> bool:
        """Whether a signal ended it, or one of its children as a shell tells it."""
        return self.status is not None and (self.status < 0 or self.status in _SIGNALS_IN_SHELL)


def run_converter(
    command: Sequence[str],
    folder: Path,
    *,
    timeout: float,
    memory: int,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Run a command to its end, or kill it and its children.

    Args:
        command: its words.
        folder: in which it runs, and its temporary files lie.
        timeout: seconds that it may take.
        memory: bytes of data that each of its processes may have, if the system can bound it.
        variables: of the environment, beside those of this process.
    """
    started = time.monotonic()
    environment = {**os.environ, "TMPDIR": str(folder), **(variables or {})}
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=partial(bound_memory, memory) if os.name == "posix" else None,
        )
        try:
            status: int | None = process.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill_group(process.pid)
            process.wait()
    seconds = time.monotonic() - started
    text = said.read_bytes()[-_WORDS_KEPT * 4 :].decode(errors="replace").strip()
    return Run(status, text[-_WORDS_KEPT:], seconds)
