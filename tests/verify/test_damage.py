"""The label-free flag: one of the family is not flagged, a stranger is."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.damage import damage_flag


def disagreements(shift: float, *, seed: int, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    decisions = rng.random((count + 1, 2000)) < 0.5
    common = decisions[0].copy()
    for row in range(count + 1):
        part = 0.1 * (1 + 0.1 * rng.standard_normal()) + (shift if row == count else 0.0)
        decisions[row] = np.where(rng.random(2000) < part, ~common, common)
    found = (decisions[:, None] != decisions[None]).mean(-1)
    return found[count, :count], found[:count, :count]


def test_a_true_retrain_is_hardly_ever_flagged_and_damage_is() -> None:
    def flags(shift: float) -> float:
        rows = [disagreements(shift, seed=seed) for seed in range(200)]
        return float(np.mean([damage_flag(delivered=one, retrained=among).flagged for one, among in rows]))

    assert flags(0.0) < 0.04
    assert flags(0.15) > 0.95


def test_the_bound_by_hand() -> None:
    among = np.array([[np.nan, 0.1, 0.2], [0.1, np.nan, 0.3], [0.2, 0.3, np.nan]])
    found = damage_flag(delivered=[0.2, 0.2, 0.2], retrained=among)
    each = np.array([0.15, 0.2, 0.25])
    # t of two degrees at 99 %: 6.965.
    assert found.allowed == pytest.approx(each.mean() + 6.9646 * 0.05 * np.sqrt(4 / 3), rel=1e-4)
    assert found.retrained == pytest.approx(0.2) and not found.flagged


def test_refusals() -> None:
    with pytest.raises(ValueError, match="at least three retrained"):
        damage_flag(delivered=[0.1, 0.1], retrained=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="not a finite number"):
        damage_flag(delivered=[0.1, np.nan, 0.1], retrained=np.zeros((3, 3)))
