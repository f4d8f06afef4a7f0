"""`dicodec policy`, and `dicodec convert --policy` for single files."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from dicodec import convert_bytes, inspect
from dicodec.batch.policy.policy import list_profiles
from dicodec.cli.main import run
from helpers.made import IMAGE_KINDS

GRAY = IMAGE_KINDS["gray-12-in-16"].make()[0]
LOSSY = convert_bytes(IMAGE_KINDS["rgb-8"].make()[0], to="jpeg", lossy=True)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "gray.dcm", tmp_path / "lossy.dcm"]
    for path, content in zip(paths, (GRAY, LOSSY), strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


def test_what_would_happen_is_explained(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "check", *files, "--policy", "archive"]) == 0

    text = capsys.readouterr().out
    assert "  rule: gray, of archive\n" in text
    assert "    not color: samples_per_pixel is 1, not 3\n    since it matches everything" in text
    assert "  plan: explicit-le -> jpeg-ls, transcoded (dry run: nothing written)" in text
    assert '    since lossy is true; storage is "encapsulated"\n  kept as it is\n' in text


def test_the_explanation_is_there_for_programs(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nwhen.bits_stored = 12\nto = "jpeg"\nquality = 80\n')

    assert run(["policy", "check", "absent", *files, "--policy", str(mine), "--json"]) == 1

    absent, gray, lossy = map(json.loads, capsys.readouterr().out.splitlines())
    assert absent["error"]["code"] == "source-unavailable"
    assert (gray["rule"], gray["keep"], gray["to"]) == ("rule 1", False, ["jpeg"])
    assert gray["error"]["code"] == "unsupported-image"
    assert (lossy["rule"], lossy["keep"]) == ("no rule", True)
    reason = {"rule": "rule 1", "matches": False, "conditions": ["bits_stored is 8, not 12"]}
    assert lossy["reasons"] == [reason]


def test_a_policy_alone_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "check", "--policy", "web"]) == 0
    assert "nothing wrong" in capsys.readouterr().out

    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nwhen.modalitty = "CT"\nto = "rle"\n')
    for arguments in (["policy", "check"], ["convert", "x", "-o", "y"]):
        assert run([*arguments, "--policy", str(mine)]) == 2
        error = capsys.readouterr().err
        assert f"{mine}: rule 1: there is no condition 'modalitty'" in error
        assert "did you mean modality?" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "no policy is given"),
        (["check", "--policy", "arch"], "did you mean archive?"),
        (["list", "web"], "takes no names"),
        (["show"], "takes one name"),
        (["show", "wbe"], "did you mean web?"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_profiles_are_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(list_profiles())
    assert run(["policy", "list", "--json"]) == 0
    assert "Cornerstone3D" in json.loads(capsys.readouterr().out.splitlines()[-1])["description"]

    assert run(["policy", "show", "web"]) == 0
    copy = tmp_path / "copy.toml"
    copy.write_text(capsys.readouterr().out)
    assert run(["policy", "check", "--policy", str(copy)]) == 0


def test_single_files_are_converted_by_policy(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.jsonl"
    arguments = ["convert", *files, "--policy", "archive", "--report", str(report)]
    (tmp_path / "out").mkdir()

    assert run([*arguments, "-o", str(tmp_path / "out")]) == 0
    assert inspect(tmp_path / "out" / "gray.dcm").transfer_syntax == "jpeg-ls"
    assert (tmp_path / "out" / "lossy.dcm").read_bytes() == LOSSY
    rules = [json.loads(line)["rule"] for line in report.read_text().splitlines()]
    assert rules == ["gray", "lossy streams"]

    capsys.readouterr()
    assert run([*arguments, "--in-place"]) == 0
    assert "jpeg, left alone" in capsys.readouterr().err
    assert Path(files[0]).read_bytes() == (tmp_path / "out" / "gray.dcm").read_bytes()
    assert Path(files[1]).read_bytes() == LOSSY


def test_standard_input_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.RawIOBase):
        """A stream that cannot be moved."""

        def __init__(self) -> None:
            self._left = GRAY

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            assert isinstance(buffer, memoryview)
            part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
            buffer[: len(part)] = part
            return len(part)

    class Standard:
        buffer = io.BufferedReader(Pipe())

    monkeypatch.setattr(sys, "stdin", Standard())
    target = tmp_path / "out.dcm"
    assert run(["convert", "-", "--policy", "archive", "-o", str(target)]) == 0
    assert target.read_bytes() == convert_bytes(GRAY, to="jpeg-ls")


def test_a_policy_and_a_target_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--policy", "web", "--to", "rle"], []):
        assert run(["convert", "x", *arguments, "-o", "y"]) == 2
    assert "one of the arguments --to --policy is required" in capsys.readouterr().err
