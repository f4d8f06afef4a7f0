"""`dicodec syntaxes`: the whole table, for people and as JSON."""

from __future__ import annotations

import json

import pytest

from dicodec.cli.main import run
from dicodec.codecs import table
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, find_by_uid
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
    assert found["jpeg"] == found["jpegxl"] == ("imagecodecs", "imagecodecs")


def test_without_kernels_the_rows_name_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    with without_kernels():
        found = _list_engines(capsys)

    assert {name for engines in found.values() for name in engines} == {"imagecodecs", "numpy", ""}
    assert found["rle"] == ("imagecodecs", "imagecodecs")
    assert found["implicit-le"] == ("numpy", "numpy")


def test_the_table_names_kernels_that_there_are() -> None:
    named = {kernel for pair in table._KERNELS.values() for kernel in pair}
    assert named <= set(dir(kernels()))
    known = {syntax.name for syntax in TRANSFER_SYNTAXES} | set(table.FAMILIES)
    assert set(table._KERNELS) <= known
