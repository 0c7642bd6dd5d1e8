"""Whether what was forgotten comes back under an attack, more than in models that never knew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from scripts.verify.contrasts import MARGIN, contrast

LEVEL = 0.05  # of each attack; all must hold, so that no attack spends of another one's level
MOST = 1e3  # part of the gap beyond which no bound is named


@dataclass(frozen=True)
class Recovery:
    """One attack.

    Attributes:
        gap: unlearned minus retrained after the attack, nats.
        fraction: of the original's gap that is there after it.
        bound: the part of the gap that is there at most, one-sided at `LEVEL`: a smaller one could not have been seen;
            None where the pairs do not bound it.
        p_value: of "the margin or more is there".
    """

    gap: float
    fraction: float
    bound: float | None
    p_value: float

    def met(self, *, margin: float = MARGIN) -> bool:
        """Whether less than the margin is shown to be there."""
        return self.bound is not None and self.bound < margin


def recovery_family(
    attacked: Mapping[str, Mapping[str, ArrayLike]],
    *,
    gap: ArrayLike,
    margin: float = MARGIN,
    level: float = LEVEL,
) -> dict[str, Recovery]:
    """One-sided t over pairs of `(U' - R') - f (O - R)`, the primes after the attack.

    It is an equivalence and no missed rejection: of each attack it must be shown that less than the margin comes back.

    Args:
        attacked: attack -> `unlearned`, `retrained`: corrected scores (J,) after it, pair by pair.
        gap: (J,) O - R, not attacked.

    Raises:
        ValueError: no attack, lengths that differ, fewer than four pairs, a value that is not finite, no spread.
    """
    if not attacked:
        raise ValueError("recovery: no attack was made")
    found = {}
    whole = np.asarray(gap, dtype=np.float64)
    for name, scores in attacked.items():
        u, r = (np.asarray(scores[key], dtype=np.float64) for key in ("unlearned", "retrained"))
        if not (u.ndim == 1 and u.shape == r.shape == whole.shape) or len(u) < 4:
            shapes = f"{u.shape}, {r.shape}, {whole.shape}"
            raise ValueError(f"recovery: {name}: {shapes}; at least four of each, pair by pair")
        if not all(np.isfinite(values).all() for values in (u, r, whole)):
            raise ValueError(f"recovery: {name}: a score is not a finite number")
        back = u - r
        one = contrast(back - margin * whole)
        if not np.isfinite(one.t):
            raise ValueError(f"recovery: {name}: all pairs differ by the same")
        found[name] = Recovery(
            gap=float(back.mean()),
            fraction=float(back.mean() / whole.mean()) if whole.mean() else float("nan"),
            bound=_bound(back, whole, level),
            p_value=float(stats.t.cdf(one.t, one.degrees)),
        )
    return found


def _bound(back: NDArray[np.float64], whole: NDArray[np.float64], level: float) -> float | None:
    """The part f from which on `mean(back - f whole) < 0` is shown at `level`; None where that is never so."""
    needed = -float(stats.t.ppf(1 - level, len(back) - 1))

    def above(part: float) -> float:
        t = contrast(back - part * whole).t
        return (t if np.isfinite(t) else np.inf) - needed

    # The larger the part, the lower the contrast, as long as the original stands out at this level.
    if contrast(whole).t <= -needed or above(MOST) >= 0:
        return None
    if above(-MOST) <= 0:
        return -MOST
    return float(optimize.brentq(above, -MOST, MOST, xtol=1e-6))
