"""Run commands, each in a process of its own, and tell the CPU time and memory that each took.

Processes are forked from one that has loaded everything, so none pays for the start.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import resource
import sys
import time
from pathlib import Path

_KILLED_AFTER = 20
"""Seconds of CPU time."""
_ADDRESS_SPACE = 3 << 30
_USUAL_SECONDS = 0.05
"""A million additions, on a machine of 2020 that nobody shares."""


def main() -> None:
    """Read [argument, ...]; write [code, seconds, bytes, text, slowness], a line each, as JSON."""
    import dicodec

    for module in pkgutil.walk_packages(dicodec.__path__, "dicodec."):
        if not module.name.startswith("dicodec.conversion.gdcm.child"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    for line in sys.stdin:
        answer = *run_alone(json.loads(line)), measure_slowness()
        print(json.dumps(answer), flush=True)


def measure_slowness() -> float:
    """Return how many times as long as usual a fixed piece of work takes, from 1 to 4.

    Whoever shares a core or its caches makes CPU seconds longer, too.
    """
    start = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return min(max((time.process_time() - start) / _USUAL_SECONDS, 1), 4)


def run_alone(arguments: list[str]) -> tuple[int, float, int, str]:
    """Return exit code, CPU seconds, largest resident size and output of one command."""
    output = Path(f"/proc/self/cwd/.output-{os.getpid()}")
    child = os.fork()
    if not child:
        _become(arguments, output)
    _, status, used = os.wait4(child, 0)
    text = output.read_text(errors="replace")[-2000:]
    output.unlink()
    return (
        os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss << 10, text
    )  # fmt: skip


def _become(arguments: list[str], output: Path) -> None:
    from dicodec.cli.main import run

    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (_KILLED_AFTER, _KILLED_AFTER))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        code = _preview(arguments[1]) if arguments[0] == "preview" else run(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _preview(path: str) -> int:
    """Render the first frame as a process of the web service does."""
    from dicodec.batch.pool.messages import WorkContext
    from dicodec.conversion.output.placement import Placement
    from dicodec.errors import DicodecError
    from dicodec.part10.beneath import Beneath
    from dicodec.service.web.preview import PreviewItem, render_preview

    folder, _, name = path.rpartition("/")
    try:
        item = PreviewItem(Beneath(folder, name), 0, 512)
        render_preview(None, item, WorkContext(1, None, print, Placement()))
    except DicodecError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    main()
