"""Paired equivalence of unlearned and retrained models: linear contrasts, so the margin needs no estimate of its own.

Pairs j share a seed: original O_j, retrained R_j and unlearned U_j, each with its validation-corrected mean score of
the forget set, in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEAST_PAIRS = 4
MARGIN = 0.3  # c: part of the gap between original and retrained that counts as no difference; fixed before looking


@dataclass(frozen=True)
class Contrast:
    """One-sample t statistic of a contrast over J pairs.

    Attributes:
        mean: nats.
        sd: of one pair, nats.
        t: `mean / (sd / sqrt(J))`; NaN where all values are the same, which decides nothing.
    """

    mean: float
    sd: float
    t: float
    degrees: int

    def above(self, level: float) -> bool:
        """Whether the contrast lies above zero at this one-sided level."""
        return bool(self.t > stats.t.ppf(1 - level, self.degrees))

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided interval of the mean, nats.

        Raises:
            ValueError: no spread.
        """
        if not np.isfinite(self.t):
            raise ValueError("pairs: all differ by the same; models of different seeds are needed")
        half = float(stats.t.ppf((1 + level) / 2, self.degrees)) * self.sd / float(np.sqrt(self.degrees + 1))
        return self.mean - half, self.mean + half

    def below(self, level: float) -> bool:
        """Whether the contrast lies below zero at this one-sided level."""
        return bool(self.t < -stats.t.ppf(1 - level, self.degrees))


def contrast(values: NDArray[np.float64]) -> Contrast:
    """Mean and t of one value a pair."""
    deviation = float(values.std(ddof=1))
    # Models that differ by their seeds never agree to the last bit: no spread means that they were not independent.
    spread = deviation > 1e-12 * max(1.0, float(np.abs(values).max()))
    t = float(values.mean() / (deviation / np.sqrt(len(values)))) if spread else float("nan")
    return Contrast(mean=float(values.mean()), sd=deviation, t=t, degrees=len(values) - 1)


class PairedContrasts:
    """T0 = O - R; L1 = U - c O - (1 - c) R; L2 = U + c O - (1 + c) R.

    Args:
        original, unlearned, retrained: (J,) corrected scores, pair by pair.
        margin: c, in (0, 1).

    Attributes:
        sigma: seed standard deviation of one model's score, nats, of O and R together.
        rho: correlation of O and R within a pair; None without spread.

    Raises:
        ValueError: fewer than four pairs, lengths that differ, a value that is not finite, a margin out of range.
    """

    def __init__(
        self, *, original: ArrayLike, unlearned: ArrayLike, retrained: ArrayLike, margin: float = MARGIN
    ) -> None:
        o, u, r = (np.asarray(values, dtype=np.float64) for values in (original, unlearned, retrained))
        if not (o.ndim == 1 and o.shape == u.shape == r.shape):
            raise ValueError(
                f"pairs: {o.shape} originals, {u.shape} unlearned, {r.shape} retrained; one of each a pair"
            )
        if len(o) < LEAST_PAIRS:
            raise ValueError(f"pairs: {len(o)} are too few; at least {LEAST_PAIRS} are needed")
        if not all(np.isfinite(values).all() for values in (o, u, r)):
            raise ValueError("scores: a value is not a finite number")
        if not 0 < margin < 1:
            raise ValueError(f"margin: {margin} is not between 0 and 1")
        self.margin, self.pairs = margin, len(o)
        self.gap = contrast(o - r)
        self.upper = contrast(u - margin * o - (1 - margin) * r)
        self.lower = contrast(u + margin * o - (1 + margin) * r)
        self.difference = contrast(u - r)
        self.forgotten_fraction = (o.mean() - u.mean()) / (o.mean() - r.mean()) if o.mean() != r.mean() else None
        covariance = np.cov(o, r)
        self.sigma = float(np.sqrt((covariance[0, 0] + covariance[1, 1]) / 2))
        scale = np.sqrt(covariance[0, 0] * covariance[1, 1])
        self.rho = float(covariance[0, 1] / scale) if scale > 0 else None

    @property
    def separable(self) -> bool:
        """Whether original and retrained differ at 1 %: without that there is nothing to measure by."""
        return self.gap.above(0.01)

    def equivalent(self, level: float = 0.05) -> bool:
        """Whether the unlearned model lies within the margin on both sides, at this level each."""
        return self.separable and self.upper.below(level) and self.lower.above(level)

    @property
    def under(self) -> bool:
        """Whether too little is forgotten, at 1 %."""
        return self.separable and self.upper.above(0.01)

    @property
    def over(self) -> bool:
        """Whether too much is forgotten, at 1 %; without a gap, whether U has left O's side of R."""
        return self.lower.below(0.01) if self.separable else self.difference.below(0.01)
