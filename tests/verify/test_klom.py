"""KLoM: against numerical integration, and its null."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from scripts.verify.klom import gaussian_divergence, klom
from tests.verify.simulated import simulated


def test_divergence_is_the_integral() -> None:
    rng = np.random.default_rng(0)
    u, r = 0.7 + 0.5 * rng.standard_normal((9, 1)), rng.standard_normal((7, 1))
    one, other = (stats.norm(values.mean(), values.std(ddof=1)) for values in (u, r))
    expected, _ = integrate.quad(lambda x: one.pdf(x) * (one.logpdf(x) - other.logpdf(x)), -8, 8)
    assert gaussian_divergence(u, r)[0] == pytest.approx(expected, rel=1e-6)


def test_like_the_null_where_nothing_is_left_and_far_above_it_else() -> None:
    clean, kept = (klom(simulated(seed=0, pairs=48, kept=part)) for part in (0.0, 1.0))
    assert clean is not None and kept is not None
    assert clean[0] < 3 * clean[1] and kept[0] > 20 * kept[1]


def test_refusals() -> None:
    assert klom(simulated(seed=0, pairs=39)) is None
    with pytest.raises(ValueError, match="1 and 3 models are too few"):
        gaussian_divergence(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="say the same"):
        gaussian_divergence(np.zeros((2, 2)), np.ones((3, 2)))
