"""Whether one group of held-out patients pays for what another does not notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scripts.verify.contrasts import LEAST_PAIRS, contrast
from scripts.verify.multiplicity import holm
from scripts.verify.noninferiority import lower_bound

LEAST_PATIENTS = 5  # a smaller group says nothing, and might say who is in it


@dataclass(frozen=True)
class Subgroup:
    """How much better the unlearned models serve a group than the retrained ones do; negative: worse.

    Attributes:
        patients: in the group.
        difference: mean over pairs and patients, in units of the measure.
        bound: one-sided 95 % lower bound over pairs.
        p_value: of "worse by no more than the margin", adjusted over all groups (Holm).
    """

    attribute: str
    group: str
    patients: int
    difference: float
    bound: float
    p_value: float


def subgroups(
    differences: Mapping[tuple[str, str], NDArray[np.float64]], *, patients: Sequence[int], margin: float
) -> list[Subgroup]:
    """One-sided t tests over pairs, the worst group first.

    Args:
        differences: (attribute, group) -> (J,) unlearned minus retrained, turned so that more is better.
        patients: of each group, in the same order.
        margin: loss that is accepted.

    Raises:
        ValueError: fewer than four pairs, a value that is not finite.
    """
    values = [np.asarray(row, dtype=np.float64) for row in differences.values()]
    if not values:
        return []
    if any(row.ndim != 1 or len(row) < LEAST_PAIRS for row in values):
        raise ValueError(f"subgroups: at least {LEAST_PAIRS} pairs are needed")
    if not all(np.isfinite(row).all() for row in values):
        raise ValueError("subgroups: a value is not a finite number")
    adjusted = holm([_worse(row, margin) for row in values])
    found = [
        Subgroup(
            attribute=attribute,
            group=group,
            patients=count,
            difference=float(row.mean()),
            bound=lower_bound(row),
            p_value=float(p_value),
        )
        for (attribute, group), count, row, p_value in zip(differences, patients, values, adjusted, strict=True)
    ]
    return sorted(found, key=lambda one: one.difference)


def _worse(row: NDArray[np.float64], margin: float) -> float:
    """P of a mean this low if the loss were the margin; 0 or 1 where all pairs say the same."""
    above = contrast(row + margin)
    return float(stats.t.cdf(above.t, above.degrees)) if np.isfinite(above.t) else float(above.mean >= 0)
