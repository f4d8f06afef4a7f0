"""Named pipes and devices as sources: their bytes come once, and some never end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from dicodec import inspect
from dicodec.errors import NotDicomError
from dicodec.part10 import source
from dicodec.part10.file_meta import check_start
from helpers.made import make_file

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")

CONTENT = make_file(64, 64)[0]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    place = tmp_path / "pipe"
    os.mkfifo(place)
    threading.Thread(target=place.write_bytes, args=(CONTENT,), daemon=True).start()
    return place


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicodec", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert", "{pipe}", "--to", "rle", "-o", "{out}", "--verify"],
        ["convert", "{pipe}", "--to", "rle,jpeg-ls", "-o", "{out}"],
        ["convert", "{pipe}", "--policy", "archive", "-o", "{out}"],
        ["convert", "{pipe}", "--policy", "web", "-o", "{out}", "--dry-run"],
        ["policy", "check", "{pipe}", "--policy", "archive"],
    ],
)
def test_a_pipe_is_opened_once(pipe: Path, tmp_path: Path, arguments: list[str]) -> None:
    out = tmp_path / "out.dcm"
    done = run(*(one.format(pipe=pipe, out=out) for one in arguments))
    assert done.returncode == 0, done.stderr
    assert str(pipe) in done.stdout + done.stderr
    if arguments[0] == "convert" and "--dry-run" not in arguments:
        assert inspect(out).transfer_syntax in {"rle", "jpeg-ls"}


@pytest.mark.parametrize("extra", [["--engine", "gdcm"], ["--verify=independent"]])
def test_another_engine_reads_a_copy_of_a_pipe(
    pipe: Path, tmp_path: Path, extra: list[str]
) -> None:
    pytest.importorskip("gdcm")
    out = tmp_path / "out.dcm"
    done = run("convert", str(pipe), "--to", "rle", "-o", str(out), *extra)
    assert done.returncode == 0, done.stderr
    assert inspect(out).transfer_syntax == "rle"


class Endless(io.RawIOBase):
    """A stream that never ends, and counts the bytes that it gave."""

    def __init__(self, content: bytes) -> None:
        self.content, self.given = content, 0

    def read(self, size: int = -1) -> Any:
        assert self.given < 4 * source.SPOOL_SIZE, "it is read on and on"
        part = (self.content * (size // len(self.content) + 1))[:size]
        self.given += len(part)
        return part


@pytest.mark.parametrize("content", [bytes(64), b"no DICOM at all. ", b"\x89PNG\r\n"])
def test_a_stream_that_is_not_dicom_is_not_kept_to_its_end(content: bytes) -> None:
    with pytest.raises(NotDicomError):
        inspect(cast("BinaryIO", Endless(content)))


def test_a_long_stream_that_is_dicom_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SPOOL_SIZE", 1000)
    monkeypatch.setattr(source, "COPY_SIZE", 500)
    for content in (CONTENT, CONTENT[132:], bytes(7) + CONTENT[132:]):
        with source.OpenSource(io.BytesIO(content), check_start) as opened:
            assert opened.size == len(content)
