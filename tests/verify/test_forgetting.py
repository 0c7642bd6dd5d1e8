"""The fraction that is forgotten."""

from __future__ import annotations

import pytest

from scripts.verify.forgetting import CorrectedScore, forgotten_fraction

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
