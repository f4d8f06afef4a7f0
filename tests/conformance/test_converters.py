"""Converters: their commands, and tables of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dicodec.conformance import load_converters, make_converter
from dicodec.errors import InvalidOptionError

SOURCE, RESULT = Path("in/a b.dcm"), Path("out/a b.dcm")


def test_placeholders_are_filled_in_and_paths_stay_one_word() -> None:
    command = "tool --ts={uid} {flags} {in} -d {out_folder} {out}"
    found = make_converter(command, {"rle": "-a '1 2'"})
    assert found.find_command("explicit-le", "rle", SOURCE, RESULT) == [
        "tool", "--ts=1.2.840.10008.1.2.5", "-a", "1 2", "in/a b.dcm", "-d", "out", "out/a b.dcm",
    ]  # fmt: skip
    assert found.find_command("explicit-le", "jpeg-ls", SOURCE, RESULT) is None
    assert found.name == "tool"


def test_flags_of_known_programs_are_known() -> None:
    found = make_converter("/opt/bin/gdcmconv {flags} {in} {out}")
    command = found.find_command("explicit-le", "jpeg-ls", SOURCE, RESULT)
    assert command == ["/opt/bin/gdcmconv", "--jpegls", "in/a b.dcm", "out/a b.dcm"]


def test_routes_are_chosen_by_source_and_target() -> None:
    dcmtk = load_converters()["dcmtk"]
    for made_of, made_to, wanted in (
        ("explicit-le", "rle", ["dcmcrle"]),
        ("explicit-le", "jpeg-ls-near", ["dcmcjpls", "+en", "+md", "2"]),
        ("rle", "explicit-le", ["dcmdrle"]),
        ("jpeg", "explicit-le", ["dcmdjpeg", "+cn"]),
        ("deflated", "explicit-be", ["dcmconv", "+tb"]),
    ):
        command = dcmtk.find_command(made_of, made_to, SOURCE, RESULT)
        assert command == [*wanted, "in/a b.dcm", "out/a b.dcm"]
    assert dcmtk.find_command("jpeg-ls", "rle", SOURCE, RESULT) is None


@pytest.mark.parametrize(
    ("program", "flags", "words"),
    [
        ("tool {in}", None, "where the source and the result are"),
        ("tool {flags} {in} {out}", None, "flags of tool are not known"),
        ("tool {in} {out}", None, "says the target"),
        ("tool '{in} {out} {to}", None, "cannot be read"),
        ("tool {flags} {in} {out}", {"jpg-ls": ""}, "no transfer syntax 'jpg-ls'"),
    ],
)
def test_wrong_commands_are_refused(program: str, flags: dict[str, str] | None, words: str) -> None:
    with pytest.raises(InvalidOptionError, match=words):
        make_converter(program, flags)


def test_tables_are_read(tmp_path: Path) -> None:
    table = tmp_path / "table.toml"
    table.write_text(
        "[mine]\nversion = \"{python} -c 'print(1.5)'\"\nvariables = {LEVEL = 3}\n"
        '[[mine.routes]]\ncommand = "{python} {here}/x.py {to} {in} {out}"\ntargets = ["rle"]\n'
    )
    mine = load_converters(table)["mine"]
    command = mine.find_command("jpeg", "rle", SOURCE, RESULT)
    assert command == [sys.executable, f"{tmp_path}/x.py", "rle", "in/a b.dcm", "out/a b.dcm"]
    assert mine.ask_version() == "1.5"
    assert mine.variables == {"LEVEL": "3"}


@pytest.mark.parametrize(
    "text",
    ["[mine]\n", "= 1", "mine = 3", '[mine]\n[[mine.routes]]\ncommand = "a"\ntargets = ["nope"]\n'],
)
def test_wrong_tables_are_refused(text: str, tmp_path: Path) -> None:
    table = tmp_path / "table.toml"
    table.write_text(text)
    with pytest.raises(InvalidOptionError):
        load_converters(table)


def test_the_benchmark_s_table_is_read() -> None:
    found = load_converters(Path(__file__).parents[2] / "bench" / "converters.toml")
    assert {"pydicom", "python-gdcm", "pydcm", "dcmjs-codecs"} == found.keys()
