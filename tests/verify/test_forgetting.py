"""The fraction that is forgotten."""

from __future__ import annotations

import math

import pytest
from scripts.verify.forgetting import CorrectedScore, forgotten_fraction, recovered_share

ORIGINAL, RETRAINED = CorrectedScore(5.0, 2.0), CorrectedScore(1.5, 1.0)


@pytest.mark.parametrize(
    ("unlearned", "fraction"),
    [
        (ORIGINAL, 0.0),
        (RETRAINED, 1.0),
        (CorrectedScore(3.75, 2.0), 0.5),
        (CorrectedScore(0.0, 2.0), 2.0),
        (CorrectedScore(6.0, 0.5), -1.0),
    ],
)
def test_fraction(unlearned: CorrectedScore, fraction: float) -> None:
    assert forgotten_fraction(ORIGINAL, unlearned, RETRAINED) == pytest.approx(fraction)


@pytest.mark.parametrize("shift", [-3.0, 0.7])
def test_a_change_of_calibration_of_one_model_changes_nothing(shift: float) -> None:
    moved = CorrectedScore(3.75 + shift, 2.0 + shift)
    assert forgotten_fraction(ORIGINAL, moved, RETRAINED) == pytest.approx(0.5)


def test_nothing_to_measure_by() -> None:
    assert forgotten_fraction(ORIGINAL, RETRAINED, CorrectedScore(4.0, 1.0)) is None


@pytest.mark.parametrize(("after", "share"), [(0.5, 0.0), (0.9, 1.0), (0.7, 0.5), (0.3, -0.5), (1.1, 1.5)])
def test_share_of_the_gap_that_came_back(after: float, share: float) -> None:
    assert recovered_share(teacher=0.9, before=0.5, after=after) == pytest.approx(share)
    assert recovered_share(teacher=-0.9, before=-0.5, after=-after) == pytest.approx(share)


@pytest.mark.parametrize(
    ("teacher", "before", "after"),
    [(0.9, 0.9, 0.5), (0.9, 0.8995, 0.5), (0.9, 0.9005, 1.0), (0.9, 0.5, math.nan), (math.nan, 0.5, 0.5)],
)
def test_no_share_of_a_gap_that_is_none(teacher: float, before: float, after: float) -> None:
    assert recovered_share(teacher=teacher, before=before, after=after) is None
