"""What the workers of the pool's tests do: a function of a module, as the pool asks for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.output.original import remove_leftovers
from dicodec.errors import CorruptFrameError
from helpers.outputs import create_output


def behave(settings: Any, item: str, around: WorkContext) -> tuple[str, int]:
    """Do what the item says and return it with the number of threads."""
    match item.split(":"):
        case ["crash"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        case ["exit"]:
            print("last words", flush=True)
            os._exit(3)
        case ["crash-once", mark]:
            around.report(around.began)
            if not Path(mark).exists():
                Path(mark).touch()
                os.kill(os.getpid(), signal.SIGSEGV)
        case ["hang"]:
            time.sleep(600)
        case ["eat"]:
            held = [bytearray(os.urandom(1 << 20))]
            while True:
                held.append(bytearray(held[0]))
                time.sleep(0.001)
        case ["no-memory"]:
            raise MemoryError
        case ["raise"]:
            raise KeyError("fault")
        case ["error"]:
            raise CorruptFrameError("broken", frame=3, hint="mend it")
        case ["tell", *words]:
            for word in words:
                around.report(word)
        case ["wait", mark]:
            around.report("begun")
            Path(f"{mark}.begun").touch()
            while not Path(mark).exists():
                time.sleep(0.01)
        case ["part", name]:
            try:
                Path(name).touch()
                _sleep_on()
            finally:
                Path(name).unlink()
        case ["deaf", target]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with create_output(Path(target), overwrite=False) as part:
                part.with_name("begun").touch()
                _sleep_on()
        case ["hold", name]:
            file = _removing(Path(name))
            next(file)
            _sleep_on()
        case ["write", name, *rest]:
            _write(Path(name), rest, around)
    return item, around.threads


def _sleep_on() -> None:
    """Sleep in short pieces, because a signal that comes just before a long one does not end it."""
    while True:
        time.sleep(0.05)


def _removing(path: Path) -> Iterator[None]:
    """Make a file that goes with this generator, as where a block was about to begin."""
    path.touch()
    try:
        yield
    finally:
        time.sleep(0.05)  # long enough for a second signal
        path.unlink()


def _write(target: Path, then: list[str], around: WorkContext) -> None:
    """Write a result that takes its place with others, and see to what happens to it."""
    attempt = 1 if around.began is None else 2
    with create_output(target, overwrite=attempt > 1, placement=around.placement) as part:
        part.write_text(f"attempt {attempt}")
    match then:
        case ["taken"]:
            target.write_text("of another")
        case ["broken"]:
            raise CorruptFrameError("broken")


def clean_up(settings: Any, item: str) -> None:
    """Remove the part file of an item that names a target."""
    remove_leftovers(Path(item.partition(":")[2]))


def double(settings: None, item: Any, around: WorkContext) -> int:
    """Return twice a number; anything else is an error."""
    if not isinstance(item, int):
        raise CorruptFrameError("not a number")
    return 2 * item
