"""Rates of outcomes: exact intervals, and blocks drawn from a pool."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.rates import clopper_pearson, disjoint_blocks, pool_rate
from statsmodels.stats.proportion import proportion_confint


@pytest.mark.parametrize(("hits", "trials"), [(0, 59), (14, 14), (3, 15), (1, 1)])
def test_exact_interval_is_that_of_statsmodels(hits: int, trials: int) -> None:
    found = clopper_pearson(hits, trials)
    low, high = proportion_confint(hits, trials, method="beta")
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), abs=1e-9)


def test_what_so_many_blocks_can_prove() -> None:
    """One-sided: 0 of 59 shows at most 5 %, 14 of 14 at least 80 %."""
    assert clopper_pearson(0, 59, level=0.9).high < 0.05 < clopper_pearson(0, 58, level=0.9).high
    assert clopper_pearson(14, 14, level=0.9).low > 0.8 > clopper_pearson(13, 13, level=0.9).low


def test_blocks_share_no_pair() -> None:
    blocks = disjoint_blocks(19, 8)
    assert blocks == [list(range(8)), list(range(8, 16))] and disjoint_blocks(7, 8) == []


def test_the_outer_bootstrap_is_wider_than_the_blocks_of_one_pool() -> None:
    """A block passes where the mean of its pairs' values is above zero: the truth is one half."""
    covered, widths, naive = 0, [], []
    for seed in range(40):
        values = np.random.default_rng(seed).standard_normal(24)

        def outcome(block, values=values) -> bool:
            return bool(values[list(block)].mean() > 0)

        found = pool_rate(outcome, pairs=24, size=8, draws=60, bootstraps=60, seed=seed)
        covered += found.low <= 0.5 <= found.high
        widths.append(found.high - found.low)
        naive.append(2 * stats.norm.ppf(0.975) * np.sqrt(found.value * (1 - found.value) / 60))
    assert covered >= 34 and np.mean(widths) > 2 * np.mean(naive)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="7 pairs are fewer than the 8 of a block"):
        pool_rate(lambda block: True, pairs=7, size=8)


def test_a_pool_of_one_block_says_nothing_of_others() -> None:
    found = pool_rate(lambda block: True, pairs=8, size=8, draws=2, bootstraps=5)
    assert (found.value, found.low, found.high, found.blocks) == (1.0, 0.0, 1.0, 0)
