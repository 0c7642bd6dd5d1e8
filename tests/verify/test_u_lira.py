"""U-LiRA: known truth and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.scores import ModelScores, RequestScores
from scripts.verify.u_lira import u_lira


def scores(shift: float, *, pairs: int = 40, images: int = 50) -> RequestScores:
    rng = np.random.default_rng(2)

    def models(mean: float) -> list[ModelScores]:
        return [ModelScores(mean + rng.standard_normal(images), np.zeros(3)) for _ in range(pairs)]

    return RequestScores(
        patients=list(range(images)),
        validation_patients=[0, 1, 2],
        original=models(3.0),
        unlearned=models(shift),
        retrained=models(0.0),
    )


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_the_area_of_two_normal_distributions(shift: float) -> None:
    """P(x_U > x_R) = Phi(shift / sqrt 2); estimated means blunt it where the two are alike."""
    found = u_lira(scores(shift))
    assert found is not None
    assert found[0] == pytest.approx(stats.norm.cdf(shift / np.sqrt(2)), abs=0.04)
    assert found[1] == pytest.approx(stats.norm.cdf(3 / np.sqrt(2)), abs=0.02)


def test_below_eight_pairs_there_is_none() -> None:
    assert u_lira(scores(1.0, pairs=7)) is None and u_lira(scores(1.0, pairs=8)) is not None
