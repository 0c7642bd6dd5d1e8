"""How many pairs a verdict needs: chance that a true retrain passes the paired equivalence, by seeded simulation."""

from __future__ import annotations

import numpy as np
from scipy import stats

from scripts.verify.contrasts import LEAST_PAIRS, MARGIN

DRAWS = 20_000


def power(*, effect: float, rho: float, pairs: int, margin: float = MARGIN, draws: int = DRAWS, seed: int = 0) -> float:
    """Part of Gaussian true retrains that are found equivalent (`PairedContrasts.equivalent`).

    Args:
        effect: g / sigma, gap of original and retrained over the seed standard deviation of one model's score.
        rho: correlation within a pair, in [0, 1).
        pairs: J.

    Raises:
        ValueError: a value out of range.
    """
    if not 0 <= rho < 1:
        raise ValueError(f"rho: {rho} is not in [0, 1)")
    if pairs < 2:
        raise ValueError(f"pairs: {pairs} are too few; at least 2 are needed")
    if not np.isfinite(effect):
        raise ValueError(f"effect: {effect} is not a finite number")
    # What a pair shares cancels in every contrast.
    o, u, r = np.random.default_rng(seed).normal(size=(3, draws, pairs)) * np.sqrt(1 - rho)
    o = o + effect

    def t(values: np.ndarray) -> np.ndarray:
        return values.mean(1) / (values.std(1, ddof=1) / np.sqrt(pairs))

    five, one = stats.t.ppf([0.95, 0.99], pairs - 1)
    passed = (t(u - margin * o - (1 - margin) * r) < -five) & (t(u + margin * o - (1 + margin) * r) > five)
    return float((passed & (t(o - r) > one)).mean())


def pairs_needed(
    *, effect: float, rho: float, wanted: float = 0.8, budget: int = 256, margin: float = MARGIN, draws: int = 4000
) -> int | None:
    """The smallest number of pairs with that power; None where more than `budget` would be needed."""
    if not effect > 0:
        return None
    low, high = LEAST_PAIRS - 1, min(LEAST_PAIRS, budget)
    # Upwards by doubling: a draw of many pairs costs most.
    while power(effect=effect, rho=rho, pairs=high, margin=margin, draws=draws) < wanted:
        if high >= budget:
            return None
        low, high = high, min(2 * high, budget)
    while high - low > 1:
        middle = (low + high) // 2
        if power(effect=effect, rho=rho, pairs=middle, margin=margin, draws=draws) >= wanted:
            high = middle
        else:
            low = middle
    return high
