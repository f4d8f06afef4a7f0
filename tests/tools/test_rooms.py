"""The picture of the rooms in docs/architecture.md is the one that the contracts make."""

from __future__ import annotations

import runpy

from helpers.corpus import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_page_has_the_rooms_of_the_contracts() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "rooms.py"))

    assert tool["BEGIN"] + tool["picture"]() + tool["END"] in PAGE


def test_the_root_holds_only_errors_options_report_entrances_and_the_face() -> None:
    modules = {path.stem for path in (ROOT / "src" / "dicodec").glob("*.py")}

    assert modules == {"__init__", "__main__", "dicomweb", "errors", "options", "pydicom", "report"}
