"""The history of a sequence is for people: no code decides anything by its sentences."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import gonio

KEPT_BY = ("bool", "len", "list", "tuple", "_cell")
"""Functions that count a history or hold it; `_cell` is that of a MATLAB file."""


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def only_passed_on(node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    """The history is handed on, counted or shown; nothing is decided by what it says."""
    parent = above[node]
    if isinstance(parent, ast.Subscript):  # some of its steps, to show them
        return only_passed_on(parent, above)
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in KEPT_BY
    if isinstance(parent, ast.comprehension):
        return parent.iter is node and not parent.ifs
    return not isinstance(parent, (ast.Compare, ast.Attribute, ast.Match))


def test_no_code_decides_by_the_history() -> None:
    readers: list[str] = []
    for path in sorted(Path(gonio.__file__).parent.rglob("*.py")):
        tree: Any = ast.parse(path.read_text(encoding="utf-8"))
        above = parents(tree)
        readers += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr == "history" and not only_passed_on(node, above)
        ]
    assert readers == []
