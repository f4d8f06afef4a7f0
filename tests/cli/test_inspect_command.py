"""`dicodec inspect`: for people and as JSON, over files of every kind and none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from dicodec import convert_bytes, inspect
from dicodec.cli.main import run
from helpers.data_set_bytes import data_set_of
from helpers.made import IMAGE_KINDS, make_file

SYNTAXES = ("explicit-le", "implicit-le", "explicit-be", "deflated", "rle", "jpeg-ls",
            "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "deflated-frame")  # fmt: skip


def written(folder: Path, content: bytes) -> str:
    path = folder / "file.dcm"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_findings_are_printed_and_are_json(
    syntax: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = written(tmp_path, convert_bytes(IMAGE_KINDS["multi-frame"].make()[0], to=syntax))

    assert run(["inspect", "--json", name]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert printed.err == ""
    assert found == json.loads(json.dumps(inspect(name).as_dict()))
    assert (found["transfer_syntax"], found["image"]["number_of_frames"]) == (syntax, 5)
    assert found["oddities"] == []
    assert {target["name"] for target in found["targets"] if target["possible"]} >= {
        "explicit-le", "rle", "jpeg-ls",
    }  # fmt: skip

    assert run(["inspect", name]) == 0
    printed = capsys.readouterr()
    text = printed.out.replace("\n", " ")
    assert syntax in text
    assert "64 x 48, 5 frame(s)" in text
    assert "can become:" in text
    assert printed.err == ""


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_every_kind_of_image_can_be_inspected(kind: str) -> None:
    content, _ = IMAGE_KINDS[kind].make()

    found = inspect(content)

    assert found.image is not None
    assert json.dumps(found.as_dict())
    assert all(target.possible or target.reason for target in found.targets)


def test_files_that_fail_are_one_line_and_the_others_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = written(tmp_path, IMAGE_KINDS["gray-8"].make()[0])
    bad = str(tmp_path / "missing.dcm")

    assert run(["inspect", bad, good]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"dicodec: {bad}: the source does not exist [source-unavailable]\n"
    assert "explicit-le" in printed.out

    assert run(["inspect", "--json", bad, good]) == 1
    printed = capsys.readouterr()
    first, second = (json.loads(line) for line in printed.out.splitlines())
    assert first["error"]["code"] == "source-unavailable"
    assert second["transfer_syntax"] == "explicit-le"
    assert printed.err == ""


def test_standard_input_is_inspected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(IMAGE_KINDS["gray-8"].make()[0]))
    monkeypatch.setattr(sys, "stdin", stream)

    assert run(["inspect", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] is None


ROWS = (0x00280010, "US", bytes(2))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (make_file(4, 4, extra=[ROWS])[0], "Rows is 0"),
        (convert_bytes(make_file(4, 4)[0], to="rle")[:-12], "before its last fragment does"),
        (make_file(4, 4)[0][:-3], "ends after 29 bytes"),
        (make_file(4, 4, transfer_syntax="1.2.840.10008.1.2.5", streams=[[b"no"]])[0], "frame 0"),
        (data_set_of(make_file(4, 4)[0]), "no Transfer Syntax UID"),
    ],
)
def test_what_is_wrong_is_printed(
    content: bytes, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = written(tmp_path, content)

    assert run(["inspect", name]) == 0

    assert expected in " ".join(capsys.readouterr().out.split())


def test_one_reason_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = written(tmp_path, make_file(40, 40)[0][:-300])

    assert run(["inspect", cut]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("  not any")]

    signed = written(tmp_path, make_file(4, 4, bits_allocated=16, bits_stored=16, signed=True)[0])
    assert run(["inspect", signed]) == 0
    reasons = [
        line.partition(": ")[2]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  not ")
    ]
    assert reasons
    assert len(reasons) == len(set(reasons))
