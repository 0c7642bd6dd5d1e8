"""Planning from a pilot."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.plan import detectable_gap, lower_effect, plan_pairs
from scripts.verify.power import power


def test_lower_bound_covers_the_truth_in_80_percent() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 1.0, size=(2000, 4))
    bounds = [lower_effect(float(row.mean() / row.std(ddof=1)), 4) for row in values]
    assert np.mean(np.array(bounds) <= 3.0) == pytest.approx(0.8, abs=0.03)


def test_lower_bound_is_where_the_noncentral_t_leaves_a_fifth_above() -> None:
    low = lower_effect(2.0, 5)
    assert stats.nct.sf(2.0 * np.sqrt(5), 4, low * np.sqrt(5)) == pytest.approx(0.2)


def pilot(gap: float, sigma: float, rho: float, pairs: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = np.sqrt(rho) * rng.standard_normal(pairs)
    o, r = (sigma * (shared + np.sqrt(1 - rho) * rng.standard_normal(pairs)) for _ in range(2))
    return o + gap, r


def test_a_clear_gap_needs_few_pairs_and_a_faint_one_more_than_the_budget() -> None:
    clear = plan_pairs(original=pilot(1, 0.02, 0.5)[0], retrained=pilot(1, 0.02, 0.5)[1], budget=12)
    assert clear.affordable and clear.pairs == 4
    o, r = pilot(1, 0.8, 0.0)
    faint = plan_pairs(original=o, retrained=r, budget=12)
    assert not faint.affordable and faint.effect_low < faint.effect


def test_the_plan_has_its_power_at_the_lower_bound() -> None:
    o, r = pilot(1, 0.25, 0.5, pairs=8, seed=2)
    plan = plan_pairs(original=o, retrained=r, budget=64)
    assert plan.pairs is not None and plan.pairs > 4
    at = {
        pairs: power(effect=plan.effect_low * np.sqrt(2), rho=0, pairs=pairs) for pairs in (plan.pairs, plan.pairs - 2)
    }
    assert at[plan.pairs] > 0.77 and at[plan.pairs - 2] < 0.83


def test_what_a_pair_shares_does_not_change_the_plan() -> None:
    o, r = pilot(1, 0.1, 0.0)
    shift = np.array([3.0, -2.0, 5.0, 0.5])
    one = plan_pairs(original=o, retrained=r, budget=12)
    other = plan_pairs(original=o + shift, retrained=r + shift, budget=12)
    assert one.pairs == other.pairs and other.rho is not None and other.rho > 0.9


def test_the_detectable_gap_is_found_with_the_power_that_is_wanted() -> None:
    gap = detectable_gap(spread=0.2, pairs=8)
    assert power(effect=gap / 0.2 * np.sqrt(2), rho=0, pairs=8) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("original", "retrained", "message"),
    [
        ([1, 2, 3], [1, 2, 3], "3 pairs are too few"),
        ([1, 2, 3, 4], [1, 2, 3], "one of each"),
        ([1, 2, 3, float("nan")], [1, 2, 3, 4], "not a finite number"),
        ([2, 3, 4, 5], [1, 2, 3, 4], "all pairs differ by the same"),
    ],
)
def test_a_pilot_that_says_nothing_is_refused(original, retrained, message) -> None:
    with pytest.raises(ValueError, match=message):
        plan_pairs(original=original, retrained=retrained, budget=12)
