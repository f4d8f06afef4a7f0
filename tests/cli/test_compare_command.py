"""`dicodec compare` as a program: what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicodec import convert
from dicodec.cli.main import run
from helpers.made import IMAGE_KINDS


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "a.dcm"
    path.write_bytes(IMAGE_KINDS["multi-frame"].make()[0])
    return path


def changed(path: Path, by: int = 3, **fields: Any) -> Path:
    """Write the original with one sample changed in each of frames 1 and 3."""
    pixels = IMAGE_KINDS["multi-frame"].make()[1].astype(int)
    for frame, error in ((1, 1), (3, by)):
        value = pixels[frame, 4, 4]
        pixels[frame, 4, 4] = value + error if value < 2048 else value - error
    path.write_bytes(IMAGE_KINDS["multi-frame"].make(pixels=pixels.astype(np.uint16), **fields)[0])
    return path


def test_equal_files(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = original.with_name("b.dcm")
    convert(original, other, to="jpeg-ls")

    assert run(["compare", str(original), str(other)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"A  {original} (explicit-le)"
    assert lines[1] == f"B  {other} (jpeg-ls)"
    assert lines[2] == "pixels: equal, 5 frames"
    assert lines[-1] == "equal"
    assert any("TransferSyntaxUID" in line and "File Meta" in line for line in lines)


def test_different_files(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(original.with_name("b.dcm"), extra=[(0x00100020, "LO", b"other")])

    assert run(["compare", str(original), str(other)]) == 1

    text = capsys.readouterr().out
    assert "pixels: different, 2 of 5 frames\n  largest error 3," in text
    assert "  frame 1: largest error 1," in text
    assert "  frame 3: largest error 3," in text
    assert 'attributes changed: 1\n  PatientID: "0" -> "other"\n' in text
    assert text.endswith("different\n")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ([], 1),
        (["--tolerance", "2"], 1),
        (["--tolerance", "3"], 1),
        (["--tolerance", "3", "--allow", "PatientID"], 0),
        (["--tolerance", "3", "--allow", "00100020"], 0),
        (["--tolerance", "3", "--ignore-attributes"], 0),
        (["--allow", "PatientID"], 1),
        (["--tolerance", "-1"], 2),
        (["--allow", "PatientIdentity"], 2),
        (["--frame", "1"], 2),
        (["--picture", "a.jpg"], 2),
        (["--workers", "0"], 2),
    ],
)
def test_exit_statuses(
    original: Path, options: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(original.with_name("b.dcm"), extra=[(0x00100020, "LO", b"other")])

    assert run(["compare", str(original), str(other), *options]) == status

    printed = capsys.readouterr()
    if status == 2:
        assert printed.out == ""
        assert printed.err.startswith("dicodec: ")
        assert printed.err.count("\n") == 1


def test_wrong_usage_of_the_parser(original: Path) -> None:
    for arguments in ([], [str(original)], [str(original)] * 3):
        assert run(["compare", *arguments]) == 2


def test_a_file_that_cannot_be_read(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = original.with_name("missing.dcm")

    assert run(["compare", str(original), str(missing)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"dicodec: {missing}: ")
    assert printed.err.endswith("[source-unavailable]\n")

    assert run(["compare", str(original), str(missing), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "source-unavailable"


def test_json(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(original.with_name("b.dcm"))

    assert run(["compare", str(original), str(other), "--json"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is False
    assert found["a"] == str(original)
    assert found["pixels"]["worst_frame"] == 3
    assert [frame["largest_error"] for frame in found["pixels"]["frames"]] == [0, 1, 0, 3, 0]
    assert found["attributes"] == []


def test_quiet_is_the_exit_status_alone(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(original), str(original), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_ten_worst_frames_are_shown_unless_all_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.zeros((14, 2, 2), np.uint8)
    errors = pixels + np.arange(1, 15, dtype=np.uint8)[:, None, None]
    paths = tmp_path / "a.dcm", tmp_path / "b.dcm"
    for path, samples in zip(paths, (pixels, errors), strict=True):
        kind = IMAGE_KINDS["gray-8"]
        path.write_bytes(kind.make(rows=2, columns=2, frames=14, pixels=samples)[0])
    names = [str(path) for path in paths]

    run(["compare", *names])
    lines = capsys.readouterr().out.splitlines()
    shown = [line.split(":")[0] for line in lines if line.startswith("  frame ")]
    assert shown == [f"  frame {frame}" for frame in range(4, 14)]
    assert "  and 4 frames more, none further off" in lines

    run(["compare", *names, "-v"])
    assert capsys.readouterr().out.count("  frame ") == 14


def test_the_picture_is_told_of(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(original.with_name("b.dcm"))
    picture = original.with_name("out.png")

    run(["compare", str(original), str(other), "--picture", str(picture)])

    assert f"picture of frame 3: {picture}" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_standard_input(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(original.read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)

    assert run(["compare", "-", str(original)]) == 0
    assert capsys.readouterr().out.startswith("A  standard input (explicit-le)\n")
    assert run(["compare", "-", "-"]) == 2
