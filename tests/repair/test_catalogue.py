"""The catalogue of oddities: complete, in use, and as the documentation prints it."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest

from dicodec.model.findings import OddityId
from dicodec.repair.catalogue import ODDITIES
from helpers.corpus import ROOT, find_corpus

SOURCES = [
    path
    for path in (ROOT / "src").rglob("*.py")
    if path.name not in {"catalogue.py", "findings.py"}
]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
ID = re.compile(r"[a-z]+(-[a-z0-9]+)+")


def test_every_oddity_has_its_row() -> None:
    assert set(OddityId) == ODDITIES.keys()


@pytest.mark.parametrize("identity", OddityId)
def test_every_row_is_used_and_says_all(identity: OddityId) -> None:
    row = ODDITIES[identity]

    assert ID.fullmatch(identity) or identity.isalpha()
    assert all((row.recognized, row.assumed, row.standardized))
    assert re.match(r"PS3\.\d+ |ACR|RFC |ISO|NEMA|vendor", row.section), row.section
    assert re.search(rf"\bOddityId\.{identity.name}\b", CODE)


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
