"""Whether what is left of the original's knowledge still has its pattern: equal means are not forgetting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEAST_PAIRS = 4


@dataclass(frozen=True)
class Pattern:
    """E, the part of the original's departure from the retrained model that is left, squared; with its upper bound.

    Attributes:
        value: 0 like another retrained model, 1 like the original.
        upper: one-sided jackknife bound over pairs, 95 %; infinite where the originals' own pattern is not positive.
    """

    value: float
    upper: float

    def met(self, margin: float) -> bool:
        """Whether the bound lies within the square of the margin."""
        return bool(self.upper <= margin**2)


def pattern(*, original: ArrayLike, unlearned: ArrayLike, retrained: ArrayLike) -> Pattern:
    """E = sum_{j != k} <d_j^U, d_k^U> / sum_{j != k} <d_j^O, d_k^O>, d_j^M = s(M_j) - s(R_j).

    Products of different pairs only: noise that pairs do not share averages to zero.

    Args:
        original, unlearned, retrained: (J, images of the forget set) scores, nats, or (J, images * cells) answers.

    Raises:
        ValueError: fewer than four pairs, shapes that differ, a value that is not finite.
    """
    o, u, r = (np.asarray(values, dtype=np.float64) for values in (original, unlearned, retrained))
    if not (o.ndim == 2 and o.shape == u.shape == r.shape and o.shape[1]):
        raise ValueError(f"scores: shapes {o.shape}, {u.shape}, {r.shape}; (pairs, images) is needed, alike for all")
    if len(o) < LEAST_PAIRS:
        raise ValueError(f"pairs: {len(o)} are too few; at least {LEAST_PAIRS} are needed")
    if not all(np.isfinite(values).all() for values in (o, u, r)):
        raise ValueError("scores: a value is not a finite number")
    left, whole = u - r, o - r
    value = _ratio(left, whole)
    without = np.array([_ratio(np.delete(left, j, 0), np.delete(whole, j, 0)) for j in range(len(o))])
    if not np.isfinite([value, *without]).all():
        return Pattern(value=value, upper=float("inf"))
    pairs = len(without)
    deviation = np.sqrt((pairs - 1) / pairs * ((without - without.mean()) ** 2).sum())
    return Pattern(value=value, upper=float(value + stats.t.ppf(0.95, pairs - 1) * deviation))


def _cross(rows: NDArray[np.float64]) -> float:
    """Sum of the inner products of different rows."""
    total = rows.sum(0)
    return float(total @ total - (rows * rows).sum())


def _ratio(left: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    """NaN where the originals share no pattern: nothing to compare with."""
    scale = _cross(whole)
    return _cross(left) / scale if scale > 0 else float("nan")
