"""Which task it is, is asked in `scripts/tasks` alone: a new task is one file there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts.tasks.registry import TASKS

NAMED = {"scripts/data/phantom.py"}  # it can draw labels for several tasks


def compared(tree: ast.AST) -> Iterator[int]:
    """Lines on which something is compared with, or looked up by, the name of a task."""
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.match_case):
            parts = [one.value for one in ast.walk(node.pattern) if isinstance(one, ast.MatchValue)]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        for part in parts:
            for one in ast.walk(part):
                if isinstance(one, ast.Constant) and one.value in TASKS:
                    yield one.lineno


def test_it_would_be_found() -> None:
    found = compared(ast.parse('if task.name == "segmentation":\n  pass\nweights = {"classification": 3.0}'))
    assert list(found) == [1, 3]


def test_nothing_else_asks(repository: Path) -> None:
    found = {}
    for path in sorted([*(repository / "scripts").rglob("*.py"), *(repository / "bundle").rglob("*.py")]):
        name = path.relative_to(repository).as_posix()
        if not name.startswith("scripts/tasks/") and name not in NAMED:
            found[name] = list(compared(ast.parse(path.read_text(encoding="utf-8"))))
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("kind", TASKS.values(), ids=list(TASKS))
def test_each_says_what_it_is(kind: type) -> None:
    task = kind()
    assert TASKS[task.name] is kind
    assert task.key_metric in task.measures and task.overlap in task.measures
    assert task.margin(task.key_metric) is not None
    for classes in (1, 3):
        guarded = task.guarded(classes)
        assert task.key_metric in guarded and all(task.margin(name) == margin for name, margin in guarded.items())
