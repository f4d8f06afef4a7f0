"""`dicodec syntaxes`: the whole table, for people and as JSON."""

from __future__ import annotations

import json

import pytest

from dicodec.cli.main import run
from dicodec.codecs import table
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, find_by_name, find_by_uid
from helpers.kernels import kernels, without_kernels


def test_every_syntax_is_a_row_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["syntaxes", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert [row["uid"] for row in rows] == [syntax.uid for syntax in TRANSFER_SYNTAXES]
    for row in rows:
        syntax = find_by_uid(row["uid"])
        assert syntax is not None
        assert (row["read"], row["write"]) == (syntax.reads, syntax.writes)
        assert row["bits"] or row["why_not"] or not row["write"]


def test_every_syntax_is_in_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in ("80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        assert run(["syntaxes"]) == 0
        text = "".join(capsys.readouterr().out.split())
        if width == "200":
            for syntax in TRANSFER_SYNTAXES:
                assert syntax.uid in text


def _list_engines(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    assert run(["syntaxes", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(bool(row["decoder"]) == row["read"] for row in rows)
    assert all(bool(row["encoder"]) == row["write"] for row in rows)
    return {row["name"]: (row["decoder"], row["encoder"]) for row in rows}


def test_each_row_says_what_decodes_and_encodes(capsys: pytest.CaptureFixture[str]) -> None:
    kernels()
    found = _list_engines(capsys)

    ours = {name for name, engines in found.items() if "dicodec kernels" in engines}
    assert {"rle", "jpeg-lossless", "jpeg-lossless-p14", "explicit-le", "explicit-be"} <= ours
    assert found["rle"] == ("dicodec kernels", "dicodec kernels")
    assert found["ge-private"] == ("dicodec kernels", "")
    assert found["jpeg2000"] == ("dicodec kernels", "dicodec kernels")
    assert found["jpeg-ls"] == found["jpeg-ls-near"] == found["jpeg2000"]
    assert found["jpegxl"] == ("imagecodecs", "imagecodecs")
    assert found["jpeg"] == found["jpegxl"] == ("imagecodecs", "imagecodecs")


def test_without_kernels_the_rows_name_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    with without_kernels():
        found = _list_engines(capsys)

    assert {name for engines in found.values() for name in engines} == {"imagecodecs", "numpy", ""}
    assert found["rle"] == ("imagecodecs", "imagecodecs")
    assert found["implicit-le"] == ("numpy", "numpy")


def test_the_table_names_kernels_that_there_are() -> None:
    named = {kernel for pair in table._KERNELS.values() for kernel in pair if kernel}
    assert named <= set(dir(kernels()))
    known = {syntax.name for syntax in TRANSFER_SYNTAXES} | set(table.FAMILIES)
    assert set(table._KERNELS) <= known


def test_names_that_people_type_are_the_lossless_forms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["syntaxes", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)

    aliases = {alias: row for row in rows for alias in row["aliases"]}
    assert {"j2k", "jls", "raw", "jxl"} <= aliases.keys()
    for alias, row in aliases.items():
        found = find_by_name(alias.upper())
        assert found is not None
        assert found.uid == row["uid"]
        assert row["loss"] == "never" or alias == "jpeg-baseline"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["convrt", "x"], "did you mean convert?"),
        (["convert", "x", "--to", "JPG_LS", "-o", "y"], "did you mean jpeg-ls?"),
        (["convert", "x", "--to", "rle", "--otput", "y"], "did you mean --output?"),
        (["convert", "x", "--to", "rle", "-o", "y", "--set", "PatientId=1"], "PatientID?"),
        (["frobnicate"], "there are convert, compare"),
        (["convert", "x", "--to", "morse", "-o", "y"], "there are implicit-le"),
    ],
)
def test_a_mistyped_name_is_guessed(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert hint in capsys.readouterr().err


def test_the_bare_command_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "examples:\n  dicodec inspect" in capsys.readouterr().err
