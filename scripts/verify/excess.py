"""What one model still has of the departure of its original, beyond what one more retrained model would show."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scripts.verify.pattern import Pattern

LEAST_REFERENCES = 3


def excess_departure(*, model: ArrayLike, original: ArrayLike, retrained: ArrayLike) -> Pattern:
    """E* = (D_U - D_R) / (D_O - D_R), with its one-sided 95 % jackknife bound over the references.

    D_M = |M - m|^2 - S / (K (K - 1)) is the mean of `<M - R_j, M - R_k>` over j != k, so that the references' own noise
    cancels; m their mean, S the sum of their squared distances from it. D_R = S / (K - 1) is what one more of them
    would have. 0 like another retrained model, 1 like the original; infinite where the original does not stand out.

    Args:
        model, original: (n,) scores, nats, or answers.
        retrained: (K, n).

    Raises:
        ValueError: fewer than three references, shapes that differ, a value that is not finite.
    """
    u, o, r = (np.asarray(values, dtype=np.float64) for values in (model, original, retrained))
    if u.ndim != 1 or not len(u) or o.shape != u.shape or r.ndim != 2 or r.shape[1:] != u.shape:
        raise ValueError(f"scores: shapes {u.shape}, {o.shape}, {r.shape}; (n,), (n,) and (references, n) are needed")
    if len(r) < LEAST_REFERENCES:
        raise ValueError(f"references: {len(r)} are too few; at least {LEAST_REFERENCES} are needed")
    if not all(np.isfinite(values).all() for values in (u, o, r)):
        raise ValueError("scores: a value is not a finite number")
    value = _excess(u, o, r)
    without = np.array([_excess(u, o, np.delete(r, k, 0)) for k in range(len(r))])
    if not np.isfinite([value, *without]).all():
        return Pattern(value=value, upper=float("inf"))
    count = len(without)
    deviation = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    return Pattern(value=value, upper=float(value + stats.t.ppf(0.95, count - 1) * deviation))


def _excess(u: NDArray[np.float64], o: NDArray[np.float64], r: NDArray[np.float64]) -> float:
    count, centre = len(r), r.mean(0)
    spread = float(((r - centre) ** 2).sum())
    noise = spread / (count * (count - 1)) + spread / (count - 1)
    whole = float(((o - centre) ** 2).sum()) - noise
    return (float(((u - centre) ** 2).sum()) - noise) / whole if whole > 0 else float("inf")
