"""Figures of a comparison by hand, and what its table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripts.comparison.contender import contenders
from scripts.comparison.row import Row, figures, gathered
from scripts.comparison.standing import Standing, mean_standing
from scripts.comparison.table import draw, markdown, nearest_first


def standing(
    *,
    forget: float = 0.8,
    retain: float = 0.9,
    test: float = 0.7,
    score: float = 1.0,
    auc: float = 0.5,
    shift: float = 0.0,
    attacked: float | None = None,
) -> Standing:
    return Standing(
        metric={"forget": forget, "retain": retain, "test": test},
        score=score,
        auc=auc,
        answers=np.array([0.2, 0.4, 0.6]) + shift,
        attacked=forget if attacked is None else attacked,
        overlooked=1 - test,
    )


TEACHER = standing(forget=0.98, score=5.0, auc=0.9, shift=0.3)
RETRAINED = [standing(shift=0.01), standing(shift=-0.01), standing(shift=0.0)]


def test_a_retrained_model_stands_at_nought() -> None:
    found = figures(standing(), teacher=TEACHER, retrained=RETRAINED, seconds=3.0)
    for name in ("forget_gap", "retain_gap", "test_gap", "average_gap", "auc_gap", "recovered", "overlooked_gap"):
        assert found[name] == pytest.approx(0), name
    assert found["forgotten_fraction"] == pytest.approx(1) and found["distance"] == pytest.approx(0)
    assert found["excess"] == pytest.approx(0, abs=0.01) and found["cpu_seconds"] == 3.0


def test_the_teacher_stands_at_one() -> None:
    found = figures(TEACHER, teacher=TEACHER, retrained=RETRAINED, seconds=None)
    assert found["forgotten_fraction"] == 0 and found["distance"] == pytest.approx(1)
    assert found["excess"] == pytest.approx(1)
    assert found["average_gap"] == pytest.approx((0.18 + 0 + 0 + 0.4) / 4)


def test_what_comes_back_is_less_what_a_retrained_model_gains() -> None:
    twins = [standing(attacked=0.82), standing(attacked=0.84)]
    found = figures(standing(forget=0.8, attacked=0.9), teacher=TEACHER, retrained=twins, seconds=1.0)
    assert found["recovered"] == pytest.approx(0.1 - 0.03)
    assert found["excess"] is None  # two are too few to tell a departure from their own


def test_without_a_gap_no_fraction_is_told() -> None:
    found = figures(standing(), teacher=standing(score=1.05), retrained=RETRAINED, seconds=1.0)
    assert found["forgotten_fraction"] is None


def test_what_is_no_number_is_left_out() -> None:
    broken = standing(test=float("nan"))
    found = figures(broken, teacher=TEACHER, retrained=RETRAINED, seconds=1.0)
    assert found["test"] is None and found["average_gap"] is None and found["forget"] == 0.8


def test_the_mean_is_taken_of_everything() -> None:
    mean = mean_standing([standing(forget=0.6, shift=0.1), standing(forget=0.8, shift=0.3)])
    assert mean.metric["forget"] == pytest.approx(0.7) and np.allclose(mean.answers, [0.4, 0.6, 0.8])


def test_rows_of_several_seeds_and_of_failures() -> None:
    near = figures(standing(), teacher=TEACHER, retrained=RETRAINED, seconds=10.0)
    far = figures(standing(forget=0.9), teacher=TEACHER, retrained=RETRAINED, seconds=20.0)
    rows = [
        Row("broken", failed="method: 'broken' needs fold teachers"),
        gathered("salun", [far, far], tuning=100.0),
        gathered("fold_start", [near, far]),
    ]
    assert [row.name for row in nearest_first(rows)] == ["fold_start", "salun", "broken"]
    assert rows[2].mean("forget") == pytest.approx(0.85) and rows[2].spread("forget") == pytest.approx(0.0707, abs=1e-4)
    assert rows[0].mean("forget") is None and rows[1].spread("cpu_seconds") == 0
    table = markdown(rows, metric="dice")
    lines = table.splitlines()
    assert lines[2].startswith("| fold_start | 0.850 (0.071) |") and "| 20 (120) |" in lines[3]
    assert lines[4].startswith("| broken | failed: method: 'broken' needs fold teachers |")
    assert all(line.count("|") == lines[0].count("|") for line in lines[1:5])


def test_the_figure_is_drawn_without_what_failed(tmp_path: Path) -> None:
    row = gathered("salun", [figures(standing(), teacher=TEACHER, retrained=RETRAINED, seconds=0.0)])
    draw([row, Row("broken", failed="it did")], tmp_path / "compare.png", metric="dice")
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_forms_of_erase_to_retain_are_rows_of_their_own() -> None:
    found = contenders(["salun", "released", "hardened", "salun"])
    assert [(one.name, one.method) for one in found] == [
        ("salun", "salun"),
        ("released", "erase_to_retain"),
        ("hardened", "erase_to_retain"),
    ]
    assert found[1].settings == {"schedule": "released"} and not found[0].settings
