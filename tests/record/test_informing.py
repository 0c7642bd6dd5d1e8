"""What stands beside the verdict: whole where all was tried, shorter where not, never a pass where it is broken."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from scripts.record.informing import informing
from tests.record.judged import Run, passing_pool


@pytest.fixture(scope="module")
def pool() -> dict[str, Any]:
    return passing_pool()


def test_all_that_was_tried(pool: dict[str, Any]) -> None:
    found = informing(pool)
    again = found["relearning"]
    assert again["steps"] == (0, 10, 20) and again["unlearned"] == pytest.approx(again["retrained"], abs=4)
    assert found["damage"]["flagged"] is False
    assert [row["patient"] for row in found["patients_screened"]] == [1, 2, 3, 4]


def test_what_was_not_tried_is_left_out(pool: dict[str, Any]) -> None:
    less = {**pool, "relearning": {}, "disagreement": []}
    assert informing(less).keys() == {"patients_screened"}


def test_a_broken_curve_is_no_pass(tmp_path: Path, pool: dict[str, Any]) -> None:
    broken = copy.deepcopy(pool)
    broken["relearning"]["curves"]["retrained"][1][2] = None
    code, verdict = Run(tmp_path, broken).judge()
    assert code == 4 and "relearning: a score is not a finite number" in verdict["reason"]
