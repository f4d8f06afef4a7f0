"""The site of the docs: every page is in it, every link leads somewhere, every row has its anchor.

`make docs` builds it with MkDocs, strictly; these tests need neither.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import dicodec
from dicodec.cli.arguments import make_parser
from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.repair.catalogue import ODDITIES
from helpers.page_blocks import ROOT, pages
from site_hooks import PAGES, add_anchors, name_option, on_page_markdown

DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    return set(re.findall(r'<span id="([^"]+)">', text))


def headings(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as Markdown makes them."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        kept = re.sub(r"[^\w\s-]", "", plain.lower()).strip()
        found.add(re.sub(r"[\s]+", "-", kept))
    return found


def test_every_option_has_an_anchor() -> None:
    found = anchors(add_anchors(read("command.md"), "command.md"))
    wanted = {
        name_option(command, one)
        for command in SUBCOMMANDS
        for action in make_parser(command).options
        for one in action.option_strings
        if one.startswith("--") and one != "--help" and "=" not in one
    }
    assert wanted <= found, sorted(wanted - found)


def test_every_error_code_and_oddity_has_an_anchor() -> None:
    codes = anchors(add_anchors(read("command.md"), "command.md"))
    table = read("command.md").partition("\n## Error codes\n")[2].partition("\n## ")[0]
    named = {one for row in re.findall(r"^\| (`.*?`) \|", table, re.M)
             for one in re.findall(r"`([^`]+)`", row)}  # fmt: skip
    assert len(named) > 30
    assert {f"error-{code}" for code in named} <= codes
    oddities = anchors(add_anchors(read("oddities.md"), "oddities.md"))
    assert {f"oddity-{name}" for name in ODDITIES} <= oddities


def test_every_public_name_is_in_the_reference() -> None:
    text = read("reference.md")
    for name in dicodec.__all__:
        home = "errors" if name.endswith("Error") else rf"[\w.]+\.{name}"
        assert re.search(rf"^::: dicodec\.{home}$", text, re.M), name


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def names(part: object) -> set[str]:
        if isinstance(part, str):
            return {part}
        parts = part.values() if isinstance(part, dict) else part
        assert not isinstance(parts, str)
        return set().union(*map(names, parts))  # type: ignore[call-overload]

    there = {one.relative_to(DOCS).as_posix() for one in DOCS.rglob("*.md")}
    assert names(settings["nav"]) == there | PAGES.keys()


@pytest.mark.parametrize("page", [*pages(), ROOT / "CHANGELOG.md"], ids=lambda one: one.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in headings(target), link


def test_pages_say_where_the_package_comes_from() -> None:
    """Until it is published, its name in an index may be anybody's."""
    for page in pages():
        assert not re.search(r"pip install [^`\n]*\bdicodec\b", page.read_text()), page


class _Page:
    class File:
        def __init__(self, place: str) -> None:
            self.src_uri = place

    def __init__(self, place: str) -> None:
        self.file = self.File(place)


@pytest.mark.parametrize(
    ("place", "text", "wanted"),
    [
        ("index.md", "[a](docs/folders.md#shards)", "[a](folders.md#shards)"),
        ("index.md", "[a](CHANGELOG.md)", "[a](changelog.md)"),
        ("folders.md", "[a](../SECURITY.md)", "[a](security.md)"),
        ("folders.md", "[a](https://example.org/x.py)", "[a](https://example.org/x.py)"),
        ("folders.md", "[a](deploy)", "[a](deploy/README.md)"),
        (
            "folders.md",
            "[a](deploy/beam/x.py)",
            "[a](deploy/README.md#files-that-are-not-on-this-site)",
        ),
    ],
)
def test_links_are_led_to_where_a_site_has_them(place: str, text: str, wanted: str) -> None:
    assert on_page_markdown(text, _Page(place), None, None) == wanted
