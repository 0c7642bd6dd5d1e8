"""How often a verifier says what: from disjoint blocks, and from a pool that blocks are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Rate:
    """Part of blocks with an outcome, and its two-sided 95 % interval."""

    value: float
    low: float
    high: float
    blocks: int


def clopper_pearson(hits: int, trials: int, *, level: float = LEVEL) -> Rate:
    """Exact interval of a binomial rate.

    Raises:
        ValueError: no trial, or more hits than trials.
    """
    if trials < 1 or not 0 <= hits <= trials:
        raise ValueError(f"rate: {hits} of {trials}")
    half = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(half, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(stats.beta.ppf(1 - half, hits + 1, trials - hits))
    return Rate(hits / trials, low, high, trials)


def disjoint_blocks(pairs: int, size: int) -> list[list[int]]:
    """As many whole blocks of `size` pairs as there are, none sharing a pair."""
    return [list(range(start, start + size)) for start in range(0, pairs - size + 1, size)]


def pool_rate(
    outcome: Callable[[Sequence[int]], bool],
    *,
    pairs: int,
    size: int,
    draws: int = 40,
    bootstraps: int = 40,
    seed: int = 0,
) -> Rate:
    """Rate over blocks drawn from a pool, with an outer bootstrap over its pairs.

    Blocks drawn from one pool share pairs: their spread alone would make the interval several times too small. So the
    pool itself is drawn anew, with replacement, and blocks are drawn without replacement from the distinct pairs of it.

    Args:
        outcome: of a block, by its pairs.
        draws: blocks a pool.
        bootstraps: pools.

    Raises:
        ValueError: fewer pairs than a block has.
    """
    if pairs < size:
        raise ValueError(f"pool: {pairs} pairs are fewer than the {size} of a block")
    rng = np.random.default_rng(seed)

    def rate(pool: np.ndarray) -> float:
        return float(np.mean([outcome(rng.choice(pool, size, replace=False).tolist()) for _ in range(draws)]))

    value = rate(np.arange(pairs))
    pools = [np.unique(rng.integers(0, pairs, pairs)) for _ in range(bootstraps)]
    found = [rate(pool) for pool in pools if len(pool) >= size]
    if not found:
        return Rate(value, 0.0, 1.0, 0)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Rate(value, float(min(low, value)), float(max(high, value)), len(found))
