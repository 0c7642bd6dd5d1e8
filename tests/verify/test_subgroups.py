"""Subgroups: against scipy and statsmodels, the size at the margin, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.subgroups import subgroups
from statsmodels.stats.multitest import multipletests

NAMES = [("sex", "female"), ("sex", "male"), ("age", "below 40")]


def rows(*means: float, pairs: int = 8, spread: float = 0.01, seed: int = 0) -> dict[tuple[str, str], np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: mean + spread * rng.standard_normal(pairs) for name, mean in zip(NAMES[: len(means)], means, strict=True)
    }


def test_as_scipy_and_statsmodels() -> None:
    given = rows(0.0, -0.03, -0.05)
    found = {(one.attribute, one.group): one for one in subgroups(given, patients=[9, 8, 7], margin=0.02)}
    plain = [stats.ttest_1samp(row, -0.02, alternative="less").pvalue for row in given.values()]
    adjusted = multipletests(plain, method="holm")[1]
    for (name, row), p_value, count in zip(given.items(), adjusted, (9, 8, 7), strict=True):
        low = stats.ttest_1samp(row, 0.0, alternative="greater").confidence_interval(0.95).low
        assert found[name].patients == count and found[name].difference == pytest.approx(row.mean())
        assert found[name].bound == pytest.approx(low) and found[name].p_value == pytest.approx(p_value)


def test_the_worst_comes_first_and_harm_is_found() -> None:
    found = subgroups(rows(0.0, -0.08, 0.01), patients=[5, 5, 5], margin=0.02)
    assert found[0].group == "male" and found[0].p_value < 0.01
    assert all(one.p_value > 0.5 for one in found[1:])


def test_a_loss_at_the_margin_is_seldom_called_more() -> None:
    draws = [subgroups(rows(-0.02, seed=seed), patients=[5], margin=0.02)[0].p_value < 0.01 for seed in range(2000)]
    assert np.mean(draws) == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize(("value", "p_value"), [(-0.03, 0.0), (-0.02, 1.0), (0.0, 1.0)])
def test_pairs_that_all_say_the_same(value: float, p_value: float) -> None:
    (found,) = subgroups({NAMES[0]: np.full(4, value)}, patients=[5], margin=0.02)
    assert found.p_value == p_value and found.bound == pytest.approx(value)


def test_none() -> None:
    assert subgroups({}, patients=[], margin=0.02) == []


def test_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 pairs"):
        subgroups(rows(0.0, pairs=3), patients=[5], margin=0.02)
    with pytest.raises(ValueError, match="not a finite number"):
        subgroups({NAMES[0]: np.array([0.0, 0.1, np.nan, 0.0])}, patients=[5], margin=0.02)
