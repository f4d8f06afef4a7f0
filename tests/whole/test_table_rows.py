"""No table of the package has the same row, or two rows of one name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicodec.model import tags
from helpers.corpus import ROOT

MODULES = sorted((ROOT / "src" / "dicodec").rglob("*.py"))

PLANTED = {
    "a row twice": "TABLE = ((1, 'a'), (2, 'b'), (1, 'a'))",
    "a name twice": "ROWS = (Row('one', 1), Row('two', 2), Row('one', 3))",
    "a key twice": "TABLE = {'a': 1, 'b': 2, 'a': 3}",
    "a member twice": "NAMES = frozenset({'a', 'b', 'a'})",
}


def repeated_rows(tree: ast.Module) -> Iterator[str]:
    """Yield what stands twice in one of a module's tables, with its line."""
    for statement in tree.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        for table in _displays(statement.value):
            for row, count in Counter(_rows(table)).items():
                if count > 1:
                    yield f"line {table.lineno}: {row}"


def _displays(value: ast.expr) -> Iterator[ast.expr]:
    """Yield what a value is written of; a comprehension is computed, and has no rows to read."""
    yield value
    for part in ast.iter_child_nodes(value):
        if isinstance(part, ast.expr) and not isinstance(part, ast.GeneratorExp | ast.DictComp):
            yield from _displays(part)


def _rows(table: ast.expr) -> Iterator[str]:
    """Yield what tells the rows of a table apart: a key, a name, or all of a row."""
    if isinstance(table, ast.Dict):
        yield from (ast.unparse(key) for key in table.keys if key is not None)
    if not isinstance(table, ast.Tuple | ast.List | ast.Set):
        return
    rows = table.elts
    if len(rows) < 3:  # pairs such as (1, 1) are no tables
        return
    for row in rows:
        if isinstance(row, ast.Call) and row.args and isinstance(row.args[0], ast.Constant):
            yield f"{ast.unparse(row.func)}({row.args[0].value!r}, ...)"
        elif isinstance(row, ast.Tuple | ast.Call | ast.Set) or isinstance(table, ast.Set):
            yield ast.unparse(row)


@pytest.mark.parametrize("code", PLANTED.values(), ids=PLANTED)
def test_a_repeated_row_is_found(code: str) -> None:
    assert list(repeated_rows(ast.parse(code)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_no_row_stands_twice(path: Path) -> None:
    assert not list(repeated_rows(ast.parse(path.read_text(encoding="utf-8"))))


def test_no_tag_has_two_names() -> None:
    names = Counter(value for value in vars(tags).values() if isinstance(value, int))

    assert len(names) > 100
    assert not [f"{tag:08x}" for tag, count in names.items() if count > 1]
