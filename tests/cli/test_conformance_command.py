"""`dicodec conformance`: what it runs, prints and returns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import quote

import pytest

from dicodec.cli.main import run

BAD = Path(__file__).parents[1] / "conformance" / "bad_converter.py"
CASE = "matrix/gray-8: rle to explicit-le"


def program(mode: str) -> str:
    return f"{quote(sys.executable)} {quote(str(BAD))} {mode} {{in}} {{out}} {{flags}}"


def test_a_wrong_result_is_printed_and_the_status_is_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "table.md"
    flags = "--flags=explicit-le=explicit-le"
    assert run(["conformance", "--program", program("pixel"), flags, "--only", CASE,
                "--markdown", str(table)]) == 1  # fmt: skip
    out = capsys.readouterr().out
    assert f"{CASE}: wrong pixels; largest error of a sample: 1" in out
    assert "sound files: 1 wrong pixels" in out
    assert "| rle | 0 of 1 (1) |" in table.read_text()


def test_a_converter_that_is_named_and_missing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    absent = "no-such-converter {in} {out} {to}"
    assert run(["conformance", "--program", absent, "--only", CASE]) == 1
    assert "this machine lacks no-such-converter" in capsys.readouterr().out


def test_json_has_each_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conformance", "dicodec", "--only", CASE, "--json", "--independent"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["converter"] == "dicodec"
    (finding,) = found["findings"]
    assert (finding["case"], finding["verdict"], finding["why"]) == (CASE, "right", [])


def test_cases_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conformance", "--list", "--only", "faults/cut-*: rle to *"]) == 0
    assert capsys.readouterr().out == "faults/cut-rle: rle to explicit-le\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gdcmconf"], "no converter is called 'gdcmconf'"),
        (["--flags", "rle=-r"], "flags belong to a command"),
        (["--program", "a {flags} {in} {out}", "--flags", "rle"], "not TARGET=FLAGS"),
        (["dicodec", "--time-limit", "0"], "above 0"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conformance", *arguments]) == 2
    assert words in capsys.readouterr().err
