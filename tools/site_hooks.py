"""Hooks of MkDocs: pages from the top folder, and an anchor for each option, error code, oddity.

The Markdown is the same that is read in a checkout: links of README.md begin with docs/, and links
to folders and to files that are no page lead nowhere on a site, so they become what they can be.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
"""Pages of the site that lie in the top folder."""

_RENAMED = {old: new for new, old in PAGES.items() if new != "index.md"}
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
_FIRST_CELL = re.compile(r"^\| `([^`]+)`", re.MULTILINE)
_SECTION = re.compile(r"^## ", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the top folder."""
    from mkdocs.structure.files import File

    for name, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001
    """Return a page's Markdown as the site needs it."""
    place = page.file.src_uri
    if place in PAGES:
        markdown = markdown.replace("](docs/", "](")
    text = _LINK.sub(lambda match: _lead(match, place), markdown)
    return add_anchors(text, place)


def add_anchors(markdown: str, place: str) -> str:
    """Return a page with an anchor in each row of its tables of options, codes and oddities.

    Args:
        markdown: of the page.
        place: its name, such as "command.md".
    """
    if place == "oddities.md":
        return _FIRST_CELL.sub(lambda match: _anchored(f"oddity-{match[1]}", match), markdown)
    if place != "command.md":
        return markdown
    parts = _SECTION.split(markdown)
    return "## ".join(_add_to_section(part) for part in parts)


def name_option(command: str, option: str) -> str:
    """Return the anchor of an option: "convert--to"."""
    return f"{command}{option}"


def _add_to_section(text: str) -> str:
    title = text.partition("\n")[0]
    if title == "Error codes":
        rows = re.compile(r"^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|", re.MULTILINE)
        return rows.sub(_anchor_codes, text)
    if not title.startswith("dicodec "):
        return text
    command = title.removeprefix("dicodec ")

    def anchor(match: re.Match[str]) -> str:
        cell = text[match.start() : text.index("\n", match.start())].split(" | ")[0]
        options = re.findall(r"`(--[a-z0-9-]+)", cell)
        spans = "".join(f'<span id="{name_option(command, one)}"></span>' for one in options)
        return f"| {spans}{match[0][2:]}"

    return _FIRST_CELL.sub(anchor, text)


def _anchor_codes(match: re.Match[str]) -> str:
    spans = "".join(f'<span id="error-{one}"></span>' for one in re.findall(r"`([^`]+)`", match[1]))
    return f"| {spans}{match[1]} |"


def _anchored(anchor: str, match: re.Match[str]) -> str:
    return f'| <span id="{anchor}"></span>{match[0][2:]}'


def _lead(match: re.Match[str], place: str) -> str:
    """Return a link as the site can follow it."""
    target, anchor = match[1], match[2] or ""
    if "://" in target or target.startswith("mailto:"):
        return match[0]
    if target in {"LICENSE", "changelog.d"}:
        return "](deploy/README.md#files-that-are-not-on-this-site)"
    if place in PAGES and target in _RENAMED:
        return f"]({_RENAMED[target]}{anchor})"
    found = (ROOT / "docs" / place).parent.joinpath(target).resolve()
    if target.startswith("../") and not found.is_relative_to(ROOT / "docs"):
        inner = target.removeprefix("../")
        if inner == "README.md":
            return f"](index.md{anchor})"
        if inner in _RENAMED:
            return f"]({_RENAMED[inner]}{anchor})"
        return "](deploy/README.md#files-that-are-not-on-this-site)"
    if target.rstrip("/") == "deploy" or (
        target.startswith("deploy/kubernetes/") and target[-1] == "/"
    ):
        return "](deploy/README.md)"
    if target.endswith((".py", ".ipynb")):
        return "](deploy/README.md#files-that-are-not-on-this-site)"
    return match[0]
