"""`dicodec syntaxes`: the whole table, for people and as JSON."""

from __future__ import annotations

import json

import pytest

from dicodec.cli.main import run
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, find_by_uid


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
