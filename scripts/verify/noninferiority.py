"""Whether the unlearned models serve patients no worse than the retrained ones, by more than a margin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scripts.verify.contrasts import LEAST_PAIRS

LEAST_PATIENTS = 2


@dataclass(frozen=True)
class NonInferiority:
    """Lower bounds of "how much better", in units of the measure; negative: worse.

    Attributes:
        difference: mean of unlearned minus retrained, turned so that more is better.
        bound: one-sided 95 % over seeds: of the procedure.
        delivered: mean of delivered minus retrained over patients; None where no model is delivered.
        delivered_bound: one-sided 95 % over patients.
        margin: loss that is accepted.
    """

    difference: float
    bound: float
    delivered: float | None
    delivered_bound: float | None
    margin: float

    @property
    def shown(self) -> bool:
        """Whether both bounds lie above minus the margin."""
        return self.bound > -self.margin and (self.delivered_bound is None or self.delivered_bound > -self.margin)


def noninferiority(
    *,
    unlearned: ArrayLike,
    retrained: ArrayLike,
    delivered: ArrayLike | None = None,
    margin: float,
    higher_is_better: bool = True,
) -> NonInferiority:
    """One-sided t bounds of the mean difference: over pairs for the procedure, over patients for the delivered model.

    Args:
        unlearned, retrained: (J, patients) of a measure, pair by pair.
        delivered: (patients,), compared with the mean of the retrained models.
        margin: above 0.

    Raises:
        ValueError: shapes that do not fit, fewer than four pairs or two patients, a value that is not finite.
    """
    u, r = np.asarray(unlearned, dtype=np.float64), np.asarray(retrained, dtype=np.float64)
    if u.ndim != 2 or u.shape != r.shape:
        raise ValueError(f"measures: shapes {u.shape} and {r.shape}; (pairs, patients) is needed, alike for both")
    if u.shape[0] < LEAST_PAIRS or u.shape[1] < LEAST_PATIENTS:
        raise ValueError(
            f"measures: {u.shape[0]} pairs of {u.shape[1]} patients are too few;"
            f" at least {LEAST_PAIRS} and {LEAST_PATIENTS} are needed"
        )
    if not margin > 0:
        raise ValueError(f"margin: {margin} is not above 0")
    own = None if delivered is None else np.asarray(delivered, dtype=np.float64)
    if own is not None and own.shape != u.shape[1:]:
        raise ValueError(f"measures: {own.shape} of the delivered model for {u.shape[1]} patients")
    if not all(np.isfinite(values).all() for values in (u, r, *([] if own is None else [own]))):
        raise ValueError("measures: a value is not a finite number")
    sign = 1.0 if higher_is_better else -1.0
    over_seeds = sign * (u - r).mean(1)
    over_patients = None if own is None else sign * (own - r.mean(0))
    return NonInferiority(
        difference=float(over_seeds.mean()),
        bound=lower_bound(over_seeds),
        delivered=None if over_patients is None else float(over_patients.mean()),
        delivered_bound=None if over_patients is None else lower_bound(over_patients),
        margin=float(margin),
    )


def lower_bound(values: NDArray[np.float64]) -> float:
    """One-sided 95 % bound of the mean; the mean itself where all values are the same."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - stats.t.ppf(0.95, len(values) - 1) * error)
