"""Label-free damage: does the delivered model disagree with retrained ones more than these do among themselves?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.01


@dataclass(frozen=True)
class Damage:
    """Informs, does not decide: it needs no label, so that it can be repeated on a clinic's own images.

    Attributes:
        delivered: mean disagreement of the delivered model with the retrained ones, 0 to 1.
        retrained: mean disagreement of a retrained model with the others.
        allowed: upper 99 % prediction bound from the retrained models.
    """

    delivered: float
    retrained: float
    allowed: float

    @property
    def flagged(self) -> bool:
        """Whether the delivered model stands apart."""
        return self.delivered > self.allowed


def damage_flag(*, delivered: ArrayLike, retrained: ArrayLike) -> Damage:
    """Prediction bound `mean + t_{.99, K-1} sd sqrt(1 + 1/K)` of the retrained models' own disagreement.

    Idea: disagreement of an ensemble finds failures without labels (arXiv 2305.09031).

    Args:
        delivered: (K,) disagreement with each retrained model.
        retrained: (K, K), symmetric, of the retrained models; its diagonal is not read.

    Raises:
        ValueError: shapes that do not fit, fewer than three retrained models, a value that is not finite.
    """
    own, among = np.asarray(delivered, dtype=np.float64), np.asarray(retrained, dtype=np.float64)
    count = len(own)
    if own.ndim != 1 or among.shape != (count, count) or count < 3:
        raise ValueError(f"disagreement: shapes {own.shape} and {among.shape}; at least three retrained models")
    off = ~np.eye(count, dtype=bool)
    if not (np.isfinite(own).all() and np.isfinite(among[off]).all()):
        raise ValueError("disagreement: a value is not a finite number")
    each = np.array([among[row][off[row]].mean() for row in range(count)])
    bound = each.mean() + stats.t.ppf(1 - LEVEL, count - 1) * each.std(ddof=1) * np.sqrt(1 + 1 / count)
    return Damage(delivered=float(own.mean()), retrained=float(each.mean()), allowed=float(bound))
