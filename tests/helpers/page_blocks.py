"""The blocks of shell and Python in the pages, each with what the page says about running it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = {"sh", "bash", "shell", "console"}
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
_FENCE = re.compile(r"^( *)```(\S*)\s*$")
_PYTHON = re.compile(r"(from [\w.]+ import |import \w|with dicodec|inspect\()")
_COMMAND = re.compile(
    r"(\w+=\S* )*(\$ )?(\.venv/bin/)?(dicodec|pip|make|python|curl|redis-\w+|apt-get|docker|find"
    r"|cd|cp|stat|mkdir|openssl|spark-submit|export|AWS_\w+=|DICODEC_\w+=|SSL_\w+=|kubectl|helm|git|echo|nats\S*|storescu|sha256sum|\.)(\s|$)"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code in a page.

    Attributes:
        page: path from the top folder.
        line: number of its first line.
        heading: the one above it.
        language: "shell", "python", or "" for what is neither.
        text: without its indentation.
        reason: why it is not run, as the page says it; "" if nothing.
        apart: whether the page has it run in another terminal, while others run.
    """

    page: str
    line: int
    heading: str
    language: str
    text: str
    reason: str
    apart: bool = False

    def commands(self) -> list[tuple[str, list[str]]]:
        """Return the commands of a shell block, each with the lines of output shown below it."""
        lines = self.text.splitlines()
        console = any(line.startswith("$ ") for line in lines)
        found: list[tuple[str, list[str]]] = []
        for line in lines:
            if console and not line.startswith("$ "):
                found[-1][1].append(line)
            elif found and found[-1][0].endswith("\\"):
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            elif line.strip() and not line.startswith("#"):
                found.append((line.removeprefix("$ "), []))
        return found


def pages() -> list[Path]:
    """Return the pages of the docs and of the top folder."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def read_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a page, fenced ones and indented ones."""
    lines = path.read_text(encoding="utf-8").split("\n")
    page = path.relative_to(ROOT).as_posix()
    heading = reason = ""
    apart = False
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if found := NOT_RUN.search(line):
            reason = found[1]
        elif line == "<!-- in another terminal -->":
            apart = True
        elif fence := _FENCE.match(line):
            end = next(n for n in range(number + 1, len(lines)) if _FENCE.match(lines[n]))
            text = "\n".join(one[len(fence[1]) :] for one in lines[number + 1 : end])
            language = "shell" if fence[2] in SHELL else fence[2] if fence[2] == "python" else ""
            yield Block(page, number + 1, heading, language, text, reason, apart)
            number, reason, apart = end, "", False
        elif line.startswith("    ") and not lines[number - 1].strip():
            end = number
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(one[4:] for one in lines[number:end]).strip("\n")
            yield Block(page, number + 1, heading, _guess(text), text, reason)
            number, reason = end - 1, ""
        elif line.strip():
            reason = ""
        number += 1


def _guess(text: str) -> str:
    first = next((line for line in text.splitlines() if line and line[0] != "#"), "")
    if _PYTHON.match(first):
        return "python"
    return "shell" if _COMMAND.match(first) else ""
