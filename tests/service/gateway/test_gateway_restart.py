"""A gateway that is killed, and another one that takes its place at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from helpers.dicom_network import SHIPPED, RunningGateway, find_free_port, running_storescp, send
from helpers.patience import wait_for
from helpers.processes import find_children, read_command

CONFIG = """
[receive]
aet = "DICODEC"
port = {ours}
spool = "spool"
processes = 2

[[route]]
to = ["PACS"]

[[peer]]
name = "PACS"
host = "127.0.0.1"
port = {theirs}
aet = "STORE"
"""


@pytest.fixture
def gateway(tmp_path: Path) -> RunningGateway:
    theirs = find_free_port()
    config = CONFIG.format(ours=find_free_port(), theirs=theirs)
    (tmp_path / "port").write_text(str(theirs))
    return RunningGateway(tmp_path, config, "--jobs", "1", "--retry-after", "0.3")


def list_receivers(gateway: RunningGateway) -> list[int]:
    """Return the processes that receive."""
    children = find_children(gateway.process.pid)
    return sorted(pid for pid in children if b"receiver_process" in read_command(pid))


def test_what_was_answered_with_success_arrives(gateway: RunningGateway, tmp_path: Path) -> None:
    theirs = int((tmp_path / "port").read_text())
    with gateway:
        assert send(gateway.port, SHIPPED / "CT_small.dcm").returncode == 0
        parts = gateway.spool / "parts"
        assert sorted(path.name for path in parts.iterdir()) == ["0", "1"]
        before = list_receivers(gateway)
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(list_receivers(gateway)) == 2 and list_receivers(gateway) != before)
        gateway.kill()  # one of them has hardly begun, and has the socket
        gateway.start()
        with running_storescp(tmp_path / "out", port=theirs):
            gateway.wait_until_empty()
        assert len([*(tmp_path / "out").iterdir()]) == 1
        assert not [*(gateway.spool / "strays").iterdir()]
