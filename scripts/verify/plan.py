"""How many pairs a verdict is to have: from a pilot of a few pairs, within a budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats
from scripts.verify.contrasts import LEAST_PAIRS, MARGIN
from scripts.verify.power import LEVEL, pairs_needed, power

WANTED = 0.8  # power
BOUND = 0.8  # of the lower bound of the effect by which is planned
DRAWS = 4000  # of a simulation
MOST = 256  # pairs beyond which no number is named


@dataclass(frozen=True)
class PairPlan:
    """What the pilot found and what follows from it.

    Attributes:
        gap: mean of O - R, nats.
        sigma: seed standard deviation of one model's score, nats; None where it was not estimable.
        rho: correlation within a pair; None without spread.
        effect: gap over the standard deviation of O - R; the lower bound of it is what is planned with.
        pairs: J with power `WANTED` at the lower bound; None above `MOST`.
        budget: pairs at most.
    """

    gap: float
    sigma: float
    rho: float | None
    effect: float
    effect_low: float
    pairs: int | None
    budget: int

    @property
    def affordable(self) -> bool:
        """Whether the pairs that are needed lie within the budget."""
        return self.pairs is not None and self.pairs <= self.budget


def lower_effect(effect: float, pairs: int, *, level: float = BOUND) -> float:
    """One-sided lower bound of the standardised mean difference, by the noncentral t distribution."""
    t, degrees = effect * np.sqrt(pairs), pairs - 1

    def above(centre: float) -> float:
        return float(stats.nct.sf(t, degrees, centre)) - (1 - level)

    # The chance of a t as large as this one grows with the centre: one root.
    low, high = t - 10 - abs(t), t + 10
    return float(optimize.brentq(above, low, high) / np.sqrt(pairs))


def plan_pairs(
    *, original: ArrayLike, retrained: ArrayLike, budget: int, margin: float = MARGIN, level: float = LEVEL
) -> PairPlan:
    """Plan from the corrected scores of a pilot's pairs, nats.

    What a pair shares cancels in every contrast: power depends on the gap over the spread of O - R alone.

    Args:
        level: of each of the two tests of equivalence at the look that is planned.

    Raises:
        ValueError: fewer than four pairs, lengths that differ, a value that is not finite, no spread.
    """
    o, r = np.asarray(original, dtype=np.float64), np.asarray(retrained, dtype=np.float64)
    if o.ndim != 1 or o.shape != r.shape:
        raise ValueError(f"pilot: {o.shape} originals and {r.shape} retrained; one of each a pair is needed")
    if len(o) < LEAST_PAIRS:
        raise ValueError(f"pilot: {len(o)} pairs are too few; at least {LEAST_PAIRS} are needed")
    if not (np.isfinite(o).all() and np.isfinite(r).all()):
        raise ValueError("pilot: a score is not a finite number")
    spread = float((o - r).std(ddof=1))
    if spread <= 1e-12 * max(1.0, float(np.abs([o, r]).max())):
        raise ValueError("pilot: all pairs differ by the same; models of different seeds are needed")
    covariance = np.cov(o, r)
    scale = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    effect = float((o - r).mean()) / spread
    low = lower_effect(effect, len(o))
    # In units of one model's spread for independent models, which is what `power` takes.
    needed = pairs_needed(effect=low * np.sqrt(2), rho=0.0, wanted=WANTED, budget=MOST, margin=margin, level=level)
    return PairPlan(
        gap=float((o - r).mean()),
        sigma=float(np.sqrt((covariance[0, 0] + covariance[1, 1]) / 2)),
        rho=float(covariance[0, 1] / scale) if scale > 0 else None,
        effect=effect,
        effect_low=low,
        pairs=needed,
        budget=int(budget),
    )


def detectable_gap(*, spread: float, pairs: int, margin: float = MARGIN, level: float = LEVEL) -> float:
    """The smallest gap, nats, at which a true retrain passes with power `WANTED`.

    Args:
        spread: standard deviation of O - R, nats.
    """
    return _detectable_effect(int(pairs), float(margin), float(level)) * spread


@lru_cache(maxsize=64)
def _detectable_effect(pairs: int, margin: float, level: float) -> float:
    def lacking(effect: float) -> float:
        found = power(effect=effect * np.sqrt(2), rho=0.0, pairs=pairs, margin=margin, level=level, draws=DRAWS)
        return found - WANTED

    return float(optimize.brentq(lacking, 0.0, 100.0, xtol=0.01))
