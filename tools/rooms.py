"""Put the picture of the rooms into docs/architecture.md, made from the import contracts.

python tools/rooms.py
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: made by tools/rooms.py -->\n\n", "\n<!-- end of rooms -->"


def main() -> int:
    """Write the page anew with the picture as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + BEGIN + picture() + END + rest.split(END)[1], encoding="utf-8")
    return 0


def picture() -> str:
    """Return each layers contract as a table: rooms, and the first lines of their docstrings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    blocks = [_block(contract) for contract in contracts if contract["type"] == "layers"]
    return "\n".join(blocks)


def _block(contract: dict[str, list[str]]) -> str:
    """Return a contract as a table, one row a floor; rooms of one floor do not know each other."""
    lines = [f"| {contract['name']} | |", "|---|---|"]
    container = "".join(f"{name}." for name in contract.get("containers", []))
    for floor in contract["layers"]:
        rooms = [container + room.strip(" ()") for room in floor.split("|")]
        names = ", ".join(f"`{room.removeprefix('dicodec.')}`" for room in rooms)
        lines.append(f"| {names} | {'<br>'.join(_purpose(room) for room in rooms)} |")
    return "\n".join(lines) + "\n"


def _purpose(room: str) -> str:
    """Return the first line of a module's or package's docstring, without its full stop."""
    path = PACKAGE / room.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
