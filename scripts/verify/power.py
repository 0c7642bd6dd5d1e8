"""How many pairs a verdict needs: chance that a true retrain passes the paired equivalence, by seeded simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scripts.verify.contrasts import LEAST_PAIRS, MARGIN

DRAWS = 20_000
LEVEL = 0.05  # of each of the two tests, where nothing else is said


def power(
    *,
    effect: float,
    rho: float,
    pairs: int,
    margin: float = MARGIN,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Part of Gaussian true retrains that are found equivalent (`PairedContrasts.equivalent`).

    Args:
        effect: g / sigma, gap of original and retrained over the seed standard deviation of one model's score.
        rho: correlation within a pair, in [0, 1).
        pairs: J.
        level: of each of the two tests of equivalence.

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

    bound, one = stats.t.ppf([1 - level, 0.99], pairs - 1)
    passed = (t(u - margin * o - (1 - margin) * r) < -bound) & (t(u + margin * o - (1 + margin) * r) > bound)
    return float((passed & (t(o - r) > one)).mean())


def pairs_needed(
    *,
    effect: float,
    rho: float,
    wanted: float = 0.8,
    budget: int = 256,
    margin: float = MARGIN,
    level: float = LEVEL,
    draws: int = 4000,
) -> int | None:
    """The smallest number of pairs with that power; None where more than `budget` would be needed."""
    if not effect > 0:
        return None
    about: dict[str, Any] = {"effect": effect, "rho": rho, "margin": margin, "level": level, "draws": draws}
    low, high = LEAST_PAIRS - 1, min(LEAST_PAIRS, budget)
    # Upwards by doubling: a draw of many pairs costs most.
    while power(pairs=high, **about) < wanted:
        if high >= budget:
            return None
        low, high = high, min(2 * high, budget)
    while high - low > 1:
        middle = (low + high) // 2
        if power(pairs=middle, **about) >= wanted:
            high = middle
        else:
            low = middle
    return high
