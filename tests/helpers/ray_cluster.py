"""A Ray cluster in a network namespace of its own, whose processes can be killed.

Ray binds to the machine's own address whatever it is told. The namespace has loopback alone, and
all processes in it, and no others, end with the cluster.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from helpers.engines import SOURCE
from helpers.installed import end_without
from helpers.patience import give_up_at
from helpers.processes import read_command

_PORT = 6399
CLIENTS = "ray://127.0.0.1:10001"
_OBJECTS = str(80 << 20)
_LONGEST = 3600
"""Seconds after which the namespace ends, whatever becomes of the tests."""


class RayCluster:
    """A head, which takes no work, and machines with some cores each; all on this machine.

    Args:
        python: that has Ray.
        cores: of each machine.

    Attributes:
        folder: for Ray's files; its path is short, because names of sockets are.
    """

    def __init__(self, python: str, cores: Sequence[int]) -> None:
        self._python = python
        self._cores = cores
        self._machines = 0
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "RAY_ADDRESS": f"127.0.0.1:{_PORT}", "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(self.folder), "PYTHONPATH": SOURCE,
            "RAY_raylet_start_wait_time_s": "120",  # of a busy machine
        }  # fmt: skip

    def __enter__(self) -> Self:
        script = f"ip link set lo up && echo up && exec sleep {_LONGEST}"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "up\n":
            self._holder.wait()
            shutil.rmtree(self.folder, ignore_errors=True)
            end_without("network namespaces")
        self._space = Path(f"/proc/{self._holder.pid}/ns/net").readlink()
        try:
            self._start(
                "--head", f"--port={_PORT}", "--node-ip-address=127.0.0.1", "--num-cpus=0",
                "--include-dashboard=false", f"--temp-dir={self.folder}",
                "--ray-client-server-port=10001", "--disable-usage-stats",
            )  # fmt: skip
            for cores in self._cores:
                self.add_machine(cores)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes in the namespace, by their ids."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_machine(self, cores: int = 1, without: Path | None = None) -> str:
        """Start a machine, and return its address.

        Args:
            cores: that it has.
            without: folder that is empty there, as the place of a share that is not mounted.
        """
        self._machines += 1
        address = f"127.0.0.{self._machines + 1}"
        hidden = () if without is None else _hide(without)
        self._start(
            f"--address=127.0.0.1:{_PORT}", f"--node-ip-address={address}", f"--num-cpus={cores}",
            before=hidden,
        )  # fmt: skip
        return address

    def _start(self, *options: str, before: Sequence[str] = ()) -> None:
        ray = str(Path(self._python).with_name("ray"))
        command = [*before, ray, "start", f"--object-store-memory={_OBJECTS}", *options]
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr

    def command(self, *command: str | Path) -> list[str | Path]:
        """Return a command that runs in the namespace."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--", *command]

    def run(
        self, *command: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace to its end."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            # Not pipes: the daemons that `ray start` leaves would hold them open.
            done = subprocess.run(
                self.command(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                env=self.environment, cwd=cwd, check=False, timeout=400,
            )  # fmt: skip
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(
                done.args, done.returncode, output.read(), errors.read()
            )

    def program(self, *arguments: str | Path) -> list[str | Path]:
        """Return the command `dicodec` with the Python that has Ray."""
        return [self._python, "-m", "dicodec.cli.main", *arguments]

    def dicodec(
        self, *arguments: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `dicodec` in the namespace to its end."""
        return self.run(*self.program(*arguments), cwd=cwd)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start `dicodec` as the driver."""
        return subprocess.Popen(
            self.command(*self.program(*arguments)), stderr=subprocess.PIPE, text=True,
            env=self.environment,
        )  # fmt: skip

    def processes(self) -> list[int]:
        """Return all processes in the namespace."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "ns" / "net").readlink() == self._space:
                    found.append(int(entry.name))
        return found

    def working(self) -> list[int]:
        """Return Ray's processes that carry out groups just now."""
        return self._find(rb"^ray::carry_out_in_engine")

    def kill_worker(self, choose: Callable[[list[int]], int] = lambda found: found[0]) -> int:
        """Kill one of Ray's processes at work, as soon as there is one; return its id."""
        until = give_up_at(30)
        while not (found := self.working()):
            assert time.monotonic() < until, "no worker works"
            time.sleep(0.01)
        process = choose(found)
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        return process

    def kill_machine(self, address: str) -> None:
        """Kill Ray's own process on a machine; those that it started end with it."""
        pattern = rb"raylet/raylet.*--node_ip_address=" + re.escape(address.encode()) + rb"\0"
        (raylet,) = self._find(pattern)
        os.kill(raylet, signal.SIGKILL)

    def _find(self, pattern: bytes) -> list[int]:
        return [
            process
            for process in self.processes()
            if re.search(pattern, read_command(process), re.DOTALL)
        ]


def _hide(folder: Path) -> tuple[str, ...]:
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    return ("unshare", "--mount", "--propagation=private", "sh", "-c", script, str(folder))
