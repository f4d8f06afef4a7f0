"""The spool's folder: one gateway has it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from dicodec.errors import InvalidOptionError, TargetUnavailableError
from dicodec.service.gateway.spool import Spool


def test_one_gateway_has_a_spool(tmp_path: Path) -> None:
    one, two = Spool(str(tmp_path)), Spool(str(tmp_path))
    with one.lock(), pytest.raises(InvalidOptionError, match="another gateway"), two.lock():
        pass
    with two.lock():
        pass


def test_a_spool_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    spool = Spool(str(tmp_path))
    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(TargetUnavailableError, match="no locks") as raised, spool.lock():
        pass
    assert raised.value.path == str(tmp_path)
