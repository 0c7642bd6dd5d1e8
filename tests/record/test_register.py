"""The register of requests: whole or refused, a table that one can read, and one exit code for all."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.record import __main__ as record
from scripts.record.register import Register, Row, exit_code_of

ROWS = [
    Row("late", "late.csv", "0" * 64, "2026-01-31", "2026-02-28", "verified", "FAIL-under", "for a person to decide"),
    Row("soon", "soon.csv", "1" * 64, "2026-02-01", "2026-03-01", "received"),
    Row("gone", "gone.csv", "2" * 64, "2026-01-01", "2026-02-01", "committed", "PASS"),
    Row("odd", "odd.csv", "3" * 64, state="refused", reason="odd.csv: no such file"),
]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    found = Register(tmp_path, list(ROWS), model="models/0001", renewed="models")
    found.write()
    return found


def test_it_is_read_as_it_was_written(register: Register) -> None:
    found = Register.read(register.root)
    assert (found.rows, found.model, found.renewed) == (register.rows, "models/0001", "models")
    assert found.row("soon") == ROWS[1] and found.row("nobody") is None
    assert Register.read(register.root / "elsewhere").rows == []


def test_the_table_says_what_is_due_and_what_is_late(register: Register) -> None:
    lines = register.table(date(2026, 3, 1))
    assert lines[0].split() == ["request", "asked", "on", "due", "on", "state"]
    assert [line.split()[0] for line in lines[1:5]] == ["gone", "late", "soon", "odd"]
    assert "verified   FAIL-under; overdue since 2026-02-28; for a person to decide" in lines[2]
    assert "overdue" not in lines[1] and "overdue" not in lines[3]
    assert lines[-2:] == ["present model: models/0001", "pool: behind it; run renew, or process again"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [([], 0), ([2], 0), ([0, 2], 3), ([1, 2], 4), ([0, 1], 3), ([0, 3], 6)],
)
def test_one_exit_code(rows: list[int], code: int) -> None:
    assert exit_code_of(ROWS[place] for place in rows) == code


def test_no_influence_has_a_code_of_its_own() -> None:
    assert exit_code_of([Row("a", "a", "", state="verified", outcome="NO-MEASURABLE-INFLUENCE")]) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"version": "9"},
        {"model": 3},
        {"requests": {}},
        {"requests": [{"request_id": "a"}]},
        {"requests": [{**vars(ROWS[0]), "state": "erased"}]},
        {"requests": [{**vars(ROWS[0]), "tries": "1"}]},
        {"requests": [{**vars(ROWS[0]), "reason": None}]},
    ],
)
def test_a_damaged_register_is_refused(register: Register, change: dict[str, Any]) -> None:
    register.path.write_text(json.dumps({**json.loads(register.path.read_text()), **change}))
    with pytest.raises(InputError, match="requests.json: "):
        Register.read(register.root)


def test_the_command(register: Register, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert record.main(["status", str(register.root)]) == 6
    assert "present model: models/0001" in capsys.readouterr().out
    assert record.main(["status", str(tmp_path / "none")]) == 2
    assert "no request was received here" in capsys.readouterr().err
