from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.prediction import prediction_interval


def test_interval_by_hand() -> None:
    """Mean 2, sd 1, K 3: t(.995, 2) = 9.9248, times sqrt(4/3)."""
    found = prediction_interval([1.0, 2.0, 3.0])
    assert found.high - 2 == pytest.approx(9.92484 * np.sqrt(4 / 3), rel=1e-5)
    assert found.low == pytest.approx(4 - found.high) and found.half == pytest.approx(found.high - 2)
    assert found.holds(2.0) and found.holds(found.high) and not found.holds(found.high + 1e-9)
    assert not found.holds(float("nan"))


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_coverage(level: float) -> None:
    """One more draw of the same kind lies inside as often as the level says: 4,000 draws, three standard errors."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(4000, 7))
    held = np.mean([prediction_interval(row[:6], level=level).holds(row[6]) for row in drawn])
    assert abs(held - level) < 3 * np.sqrt(level * (1 - level) / len(drawn))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], "at least 2"),
        ([[1.0, 2.0]], "in a row"),
        ([1.0, float("nan")], "finite"),
        ([2.0, 2.0, 2.0], "the same"),
    ],
)
def test_bad_input(scores: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prediction_interval(scores)


def test_a_level_that_is_none() -> None:
    with pytest.raises(ValueError, match="level: 1.0"):
        prediction_interval([1.0, 2.0], level=1.0)
