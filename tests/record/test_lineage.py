"""The lineage of a model: a chain in which each model descends from the one before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.errors import InputError
from scripts.record.keys import canonical
from scripts.record.lineage import Descent, Lineage

TEACHER, STUDENT, NEXT = "a" * 64, "b" * 64, "c" * 64
FIRST = Descent(model=TEACHER, membership="m")
SECOND = Descent(
    model=STUDENT,
    parents=(TEACHER, "d" * 64),
    method="fold_start",
    exact=True,
    request="r",
    forgotten=("u1", "u2"),
    verdict="PASS",
)
THIRD = Descent(model=NEXT, parents=(STUDENT,), method="erase_to_retain", request="q", forgotten=("u3",))


def chain() -> Lineage:
    return Lineage().then(FIRST).then(SECOND)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    assert Lineage.read(path).lines == [] and Lineage.read(path).model == ""
    chain().write(path)
    found = Lineage.read(path)
    assert found.lines == chain().lines and found.model == STUDENT
    assert found.forgot(["u2"]) == [1] and found.forgot(["u3"]) == []


def test_exact_is_only_what_was_exact_throughout() -> None:
    assert not Lineage().then(FIRST).exact
    assert chain().exact and not chain().then(THIRD).exact


def test_a_model_of_other_parents_is_refused() -> None:
    with pytest.raises(InputError, match="line 1 does not descend from the model of the line before it"):
        Lineage().then(FIRST).then(THIRD)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_in_it_can_be_changed(tmp_path: Path, data: Any) -> None:
    """Any entry of any line replaced, or a line left out or put elsewhere."""
    path = tmp_path / "lineage.jsonl"
    lines = chain().then(THIRD).lines
    how = data.draw(st.sampled_from(["entry", "cut", "swap"]))
    if how == "entry":
        line = data.draw(st.sampled_from(lines))
        name = data.draw(st.sampled_from(sorted(line)))
        value = data.draw(st.sampled_from([None, 1, "x", [], ["x"], True, {}]))
        if value == line[name] and type(value) is type(line[name]):
            return
        line[name] = value
    elif how == "cut":
        del lines[data.draw(st.integers(0, 1))]
    else:
        lines[0], lines[1] = lines[1], lines[0]
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))
    with pytest.raises(InputError, match=r"lineage\.jsonl: not a readable lineage"):
        Lineage.read(path)


@pytest.mark.parametrize("text", ["{", "[]\n", "5\n", '{"a": 1}', "\n", json.dumps({"version": "1"}) + "\n"])
def test_garbage_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lineage.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=r"lineage\.jsonl: not a readable lineage"):
        Lineage.read(path)
