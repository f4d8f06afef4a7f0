"""Bytes that are moved come out the same, whoever moves them."""

from __future__ import annotations

import errno
import io
import os
import random
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from dicodec.errors import ReadError
from dicodec.part10 import moving
from dicodec.part10.source import ByteSource, OpenSource

SIZE = 3 << 20
CONTENT = random.Random(7).randbytes(SIZE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def moved(source: ByteSource, start: int, end: int, out: BinaryIO) -> bytes:
    out.write(b"before")
    moving.move_bytes(source, start, end, out)
    out.write(b"after")
    out.seek(0)
    return out.read()


@pytest.mark.parametrize(("start", "end"), [(0, SIZE), (1, SIZE - 1), (4097, 2 << 20), (5, 9)])
def test_files_memory_and_streams_get_the_same(
    file: Path, tmp_path: Path, start: int, end: int
) -> None:
    wanted = b"before" + CONTENT[start:end] + b"after"
    with OpenSource(file) as source:
        with (tmp_path / "out").open("w+b") as out:
            assert moved(source, start, end, out) == wanted
        assert moved(source, start, end, io.BytesIO()) == wanted
    with OpenSource(CONTENT) as source, (tmp_path / "other").open("w+b") as out:
        assert moved(source, start, end, out) == wanted


def test_the_system_moves_from_file_to_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "read_chunks", lambda _, start, end: range(start, end))
    with OpenSource(file) as source, (tmp_path / "out").open("w+b") as out:
        assert moved(source, 3, SIZE, out) == b"before" + CONTENT[3:] + b"after"


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC, errno.EIO])
def test_what_the_system_does_not_move_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    plain = os.copy_file_range
    calls: list[int] = []

    def failing(*given: Any) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(number, os.strerror(number))
        return plain(given[0], given[1], 100_001, *given[3:])

    monkeypatch.setattr(os, "copy_file_range", failing)
    with OpenSource(file) as source, (tmp_path / "out").open("w+b") as out:
        assert moved(source, 0, SIZE, out) == b"before" + CONTENT + b"after"
    assert len(calls) == 2


def test_a_source_that_becomes_shorter_is_an_error(file: Path, tmp_path: Path) -> None:
    with OpenSource(file) as source, (tmp_path / "out").open("w+b") as out:
        os.truncate(file, SIZE // 2)
        with pytest.raises(ReadError):
            moving.move_bytes(source, 0, SIZE, out)
