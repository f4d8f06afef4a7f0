"""Two hosts on one machine: network namespaces with a link between them that can be cut."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

_NET = "10.231.73"


class Hosts:
    """This process moves into one of two hosts; commands can be started at the other.

    Both see the same folders. It needs Linux, the rights of root and the program `ip`.

    Attributes:
        address: of the host of this process.
        far: what starts a command at the other host.
    """

    address = f"{_NET}.1"

    def __init__(self) -> None:
        self._near, self._far = (f"dicodec-{os.getpid()}-{name}" for name in ("near", "far"))
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.far = ("ip", "netns", "exec", self._far)

    def __enter__(self) -> Self:
        try:
            for name in (self._near, self._far):
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            _ip("link", "add", "eth0", "netns", self._near, "type", "veth",
                "peer", "name", "eth0", "netns", self._far)  # fmt: skip
            for number, name in enumerate((self._near, self._far), 1):
                _ip("-n", name, "address", "add", f"{_NET}.{number}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "eth0", "up")
            self._move(Path("/run/netns") / self._near)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.setns(self._home, os.CLONE_NEWNET)
        os.close(self._home)
        for name in (self._near, self._far):
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)

    def cut(self) -> None:
        """Cut the link: packets are lost, and nobody is told."""
        _ip("-n", self._far, "link", "set", "eth0", "down")

    def mend(self) -> None:
        """Mend the link."""
        _ip("-n", self._far, "link", "set", "eth0", "up")

    def _move(self, path: Path) -> None:
        there = os.open(path, os.O_RDONLY)
        os.setns(there, os.CLONE_NEWNET)
        os.close(there)


def why_none() -> str:
    """Return why there can be no hosts on this machine; "" if there can."""
    if os.geteuid():
        return "they need the rights of root"
    try:
        with Hosts():
            return ""
    except (OSError, subprocess.CalledProcessError, AttributeError) as error:
        return f"the system does not make them: {error}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
