"""The changelog: fragments that towncrier takes, and a section for the version."""

from __future__ import annotations

import re
import tomllib
from datetime import date

from dicodec.model.implementation import VERSION
from helpers.page_blocks import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]


def test_fragments_have_a_kind_and_say_something() -> None:
    kinds = "|".join(kind["directory"] for kind in SETTINGS["type"])
    folder = ROOT / SETTINGS["directory"]
    for path in folder.iterdir():
        if path.name in SETTINGS["ignore"]:
            continue
        assert re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert text.endswith("."), f"{path.name} is not a sentence"
        assert not text.startswith(("-", "#")), f"{path.name}: towncrier makes the list"


def test_releases_follow_the_mark_and_have_dates() -> None:
    before, mark, releases = CHANGELOG.partition(SETTINGS["start_string"])
    assert mark, "towncrier would append to the end"
    assert "\n## " not in before
    titles = re.findall(r"^## (.+)$", releases, re.M)
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", one) for one in titles]
    assert all(found), titles
    dates = [date.fromisoformat(one[2]) for one in found if one]
    assert dates == sorted(dates, reverse=True)
    assert next(one[1] for one in found if one) == VERSION


def test_pages_that_name_the_version_name_this_one() -> None:
    for path in (ROOT / "docs" / "deploy").rglob("*"):
        if path.is_file():
            for found in re.findall(r"\bdicodec(?:-ray)?:(\d[\w.]*)", path.read_text("utf-8")):
                assert found == VERSION, path
