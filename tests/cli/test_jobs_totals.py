"""Totals of a ledger: by modality, syntax, cause and saving, as lines, CSV and a page."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME, FileOutcome, StartedFile, State
from dicodec.cli.main import run
from helpers.axe import find_barriers
from helpers.browser import open_page, running_browser

EVIL = "<script>alert(1)</script>&\"'\x1b[31m\udcff"


def make_outcome(modality: str, syntax: str, after: int) -> FileOutcome:
    fields = {"modality": modality, "source_syntax": "explicit-le", "target_syntax": syntax}
    return FileOutcome(
        state=State.DONE, json=json.dumps(fields), target_size=after, action="transcoded"
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / LEDGER_NAME
    outcomes = {
        "a": make_outcome("CT", "rle", 40),
        "b": make_outcome("CT", "rle", 60),
        "c": make_outcome("MR", "jpeg-ls", 10),
        "d": make_outcome("", "rle", 130),
        "e": FileOutcome(state=State.FAILED, json="{}", error_code="disk-full", error_text=EVIL),
        EVIL: FileOutcome(state=State.FAILED, json="no json", error_code="disk-full"),
        "f": make_outcome(EVIL, "rle", 100),
    }
    with Ledger(str(path), writing=True) as found:
        found.start("digest", f"convert {EVIL}")
        found.begin([StartedFile(name, name, at, 100, 7) for at, name in enumerate(outcomes)])
        for name, outcome in outcomes.items():
            found.end(name, outcome)
        found.finish()
    return path


def totals(
    capsys: pytest.CaptureFixture[str], ledger: Path, by: str, *more: str
) -> dict[str, tuple[Any, ...]]:
    assert run(["jobs", str(ledger), "--by", by, "--format", "json", *more]) == 0
    rows = json.loads(capsys.readouterr().out)
    return {
        one["value"]: (one["files"], one["bytes_before"], one["bytes_after"], one["saved"])
        for one in rows
    }


def test_totals_by_each_property(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modality = totals(capsys, ledger, "modality")
    assert modality["CT"] == (2, 200, 100, 0.5)
    assert modality["MR"] == (1, 100, 10, 0.9)
    assert modality["none stated"][0] == 1
    assert totals(capsys, ledger, "syntax") == {
        "explicit-le -> rle": (4, 400, 330, pytest.approx(0.175)),
        "explicit-le -> jpeg-ls": (1, 100, 10, 0.9),
    }
    assert totals(capsys, ledger, "cause") == {
        "done, transcoded": (5, 500, 340, pytest.approx(0.32)),
        "failed, disk-full": (2, 0, 0, None),
    }
    saving = {name: one[0] for name, one in totals(capsys, ledger, "saving").items()}
    assert saving == {
        "larger than before": 1, "as large as before": 1, "25 to 50 % saved": 1,
        "50 to 75 % saved": 1, "75 % saved or more": 1,
    }  # fmt: skip
    assert totals(capsys, ledger, "cause", "--state", "failed").keys() == {"failed, disk-full"}


def test_lines_for_people(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", str(ledger), "--by", "syntax", "--by", "cause"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "by syntax:"
    assert "  1 explicit-le -> jpeg-ls: 100 bytes -> 10 bytes (-90.0%)" in lines
    assert "  2 failed, disk-full" in lines


def test_one_table_of_all(ledger: Path, tmp_path: Path) -> None:
    path = tmp_path / "totals.csv"
    assert run(["jobs", str(ledger), "--csv", str(path)]) == 0
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert {row["by"] for row in rows} == {"modality", "syntax", "cause", "saving"}
    for by in ("modality", "syntax"):
        assert sum(int(row["files"]) for row in rows if row["by"] == by) == 5
    (row,) = [row for row in rows if row["value"] == "CT"]
    assert (row["bytes_before"], row["bytes_after"], row["saved"]) == ("200", "100", "0.5000")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_and_escapes_everything(ledger: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert run(["jobs", str(ledger), "--html", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    for _, attributes in page.tags:
        assert not {"src", "href", "onload", "onclick"} & attributes.keys()
    assert "url(" not in text
    assert "@import" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in text
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(charts) == 4
    for chart in charts:
        assert chart["role"] == "img"
        assert f'<title id="{chart["aria-labelledby"]}">' in text
    assert len(re.findall("<table>", text)) == 7
    assert "disk-full" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_barriers(ledger: Path, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "report.html"
    run(["jobs", str(ledger), "--html", str(path)])
    # The examiner itself is a script, which the page's own policy would keep out.
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub("<meta http-equiv.*\n", "", text), encoding="utf-8")
    with running_browser() as browser:
        complaints: list[str] = []
        page = open_page(browser, path.as_uri(), complaints, color_scheme=scheme)
        assert find_barriers(page) == []
        assert complaints == []
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}[scheme]


def test_a_place_that_cannot_be_written_is_an_error(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--html", "--csv"):
        assert run(["jobs", str(ledger), option, str(tmp_path / "no" / "where")]) == 1
        assert "no/where" in capsys.readouterr().err
