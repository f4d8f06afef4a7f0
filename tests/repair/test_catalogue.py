"""The catalogue of oddities: complete, in use, and as the documentation prints it."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from dicodec.repair.catalogue import ODDITIES
from helpers.corpus import ROOT, find_corpus

SOURCES = [path for path in (ROOT / "src").rglob("*.py") if path.name != "catalogue.py"]
ID = re.compile(r"[a-z]+(-[a-z0-9]+)+")
NAMING = {"Oddity", "_note", "_oddity"}


def named_ids(path: Path) -> set[str]:
    """Return the ids that a module gives to what it notes."""
    found = set()
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        notes = isinstance(function, ast.Attribute) and ast.unparse(function.value).endswith(
            "notes"
        )
        first = call.args[0]
        if (name in NAMING or notes) and isinstance(first, ast.Constant):
            found.add(str(first.value))
    return found


def test_every_oddity_that_is_noted_has_its_row() -> None:
    named = set[str]().union(*map(named_ids, SOURCES))

    assert len(named) > 50
    assert {one for one in named if ID.fullmatch(one)} <= ODDITIES.keys()


@pytest.mark.parametrize("identity", ODDITIES)
def test_every_row_is_used_and_says_all(identity: str) -> None:
    row = ODDITIES[identity]

    assert ID.fullmatch(identity) or identity.isalpha()
    assert all((row.recognised, row.assumed, row.standardized))
    assert re.match(r"PS3\.\d+ |ACR|RFC |ISO|NEMA|vendor", row.section), row.section
    assert any(f'"{identity}"' in path.read_text(encoding="utf-8") for path in SOURCES)


def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "oddity_tables.py"))


def test_the_page_of_oddities_is_the_catalogue() -> None:
    page = (ROOT / "docs" / "oddities.md").read_text(encoding="utf-8")

    assert page == tool()["oddities_page"]()


def test_the_page_of_nonstandard_files_is_what_becomes_of_them() -> None:
    page = (ROOT / "docs" / "nonstandard.md").read_text(encoding="utf-8")
    folder = find_corpus()

    assert all(f"| {name} |" in page for name in tool()["REASONS"])
    if folder is not None:
        assert page == tool()["nonstandard_page"](folder)
