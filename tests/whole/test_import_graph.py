"""The graph of imports within the package, delayed imports included, has no cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dicodec

PACKAGE = Path(dicodec.__file__).parent


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_type_checkers(node: ast.AST) -> bool:
    """Whether a node is the statement `if TYPE_CHECKING`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes_at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, but for what only type checkers read."""
    yield node
    for name, value in ast.iter_fields(node):
        if name == "body" and is_for_type_checkers(node):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from nodes_at_run_time(child)


def imported_modules(tree: ast.AST, modules: frozenset[str]) -> set[str]:
    """Return the modules among `modules` that a syntax tree imports, at its top or delayed.

    `from package import name` counts as an import of `package.name` if that is a module, and of
    `package` if it is not. A text that is the name of a module counts, because it is imported by
    that name. The packages around a module, which are imported before it, do not count.
    """
    found: set[str] = set()
    for node in nodes_at_run_time(tree):
        match node:
            case ast.Import(names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module, names):
                assert module is not None, "imports are absolute"
                paths = {f"{module}.{alias.name}" for alias in names}
                found |= (paths & modules) or {module}
            case ast.Constant(str(text)) if "." in text:
                found.add(text)
    return found & modules


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one cycle, the first at both ends; none if there is no cycle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle[::-1]
    return []


def import_graph() -> dict[str, set[str]]:
    """Return each module of the package with the modules that it imports."""
    trees = {
        module_name(path): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    modules = frozenset(trees)
    return {name: imported_modules(tree, modules) for name, tree in trees.items()}


def test_no_import_cycle() -> None:
    graph = import_graph()
    assert len(graph) > 100
    assert find_cycle(graph) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a", {"a"}),
        ("from p import b", {"p.b"}),
        ("from p import name", {"p"}),
        ("from p.b import name", {"p.b"}),
        ("def call():\n    from p import b", {"p.b"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import p.b", {"p.b"}),
        ("call('p.b', 'x')", {"p.b"}),
        ("import os", set()),
    ],
)
def test_which_imports_count(text: str, expected: set[str]) -> None:
    assert imported_modules(ast.parse(text), frozenset({"a", "p", "p.b"})) == expected


def test_a_cycle_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])
