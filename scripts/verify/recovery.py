"""Whether what was forgotten comes back under an attack, more than in models that never knew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from scripts.verify.contrasts import MARGIN, contrast
from scripts.verify.multiplicity import holm


@dataclass(frozen=True)
class Recovery:
    """One attack.

    Attributes:
        gap: unlearned minus retrained after the attack, nats.
        fraction: of the original's gap that is there after it.
        p_value: of "more than the margin comes back", adjusted for the family (Holm).
    """

    gap: float
    fraction: float
    p_value: float


def recovery_family(attacked: Mapping[str, Mapping[str, ArrayLike]], *, margin: float = MARGIN) -> dict[str, Recovery]:
    """One-sided t over pairs of `U' - c O - (1 - c) R'`, the primes after the attack; the original as it was.

    Args:
        attacked: attack -> `original` (not attacked), `unlearned`, `retrained`: corrected scores (J,), pair by pair.

    Raises:
        ValueError: no attack, lengths that differ, fewer than four pairs, a value that is not finite, no spread.
    """
    if not attacked:
        raise ValueError("recovery: no attack was made")
    found = {}
    for name, scores in attacked.items():
        o, u, r = (np.asarray(scores[key], dtype=np.float64) for key in ("original", "unlearned", "retrained"))
        if not (o.ndim == 1 and o.shape == u.shape == r.shape) or len(o) < 4:
            raise ValueError(f"recovery: {name}: {o.shape}, {u.shape}, {r.shape}; at least four of each, pair by pair")
        if not all(np.isfinite(values).all() for values in (o, u, r)):
            raise ValueError(f"recovery: {name}: a score is not a finite number")
        one = contrast(u - margin * o - (1 - margin) * r)
        if not np.isfinite(one.t):
            raise ValueError(f"recovery: {name}: all pairs differ by the same")
        gap = float((u - r).mean())
        whole = float((o - r).mean())
        found[name] = (gap, gap / whole if whole else float("nan"), float(stats.t.sf(one.t, one.degrees)))
    adjusted = holm([p for _, _, p in found.values()])
    return {
        name: Recovery(gap=gap, fraction=fraction, p_value=float(p))
        for (name, (gap, fraction, _)), p in zip(found.items(), adjusted, strict=True)
    }
