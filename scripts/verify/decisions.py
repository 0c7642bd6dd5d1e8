"""How far a model's decisions on one request lie from those of models that never saw it, and in which direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_MEMBERS = 2
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decided:
    """Of one request, with m the mean of S members and s^2 the sum of their variances over cells.

    Attributes:
        unlearned, teacher: `|M - m|^2 - s^2 / S`, mean over images.
        members: s^2, what one more member would have.
        kept: of the unlearned model, `(<U - m, T - m> - s^2 / S) / (|T - m|^2 - s^2 / S)`: the part of the teacher's
            departure that it still has; None where the teacher does not depart.
        kept_members: the same of each member against the others; None where it cannot be taken.
    """

    unlearned: float
    teacher: float
    members: float
    kept: float | None
    kept_members: tuple[float | None, ...]


def decided(*, unlearned: ArrayLike, teacher: ArrayLike, members: ArrayLike) -> Decided:
    """From decisions pooled over cells.

    Args:
        unlearned, teacher: (images, cells).
        members: (S, images, cells), at least two.

    Raises:
        ValueError: shapes that differ, fewer than two members, a value that is not finite.
    """
    u, t, r = (np.asarray(values, dtype=np.float64) for values in (unlearned, teacher, members))
    if u.ndim != 2 or not u.size or t.shape != u.shape or r.ndim != 3 or r.shape[1:] != u.shape:
        raise ValueError(f"decisions: shapes {u.shape}, {t.shape}, {r.shape}; (images, cells) is needed, alike for all")
    if len(r) < LEAST_MEMBERS:
        raise ValueError(f"members: {len(r)} are too few; at least {LEAST_MEMBERS} are needed")
    if not all(np.isfinite(values).all() for values in (u, t, r)):
        raise ValueError("decisions: a value is not a finite number")
    images, centre, variance = len(u), r.mean(0), float(r.var(0, ddof=1).sum()) / len(u)
    noise = variance / len(r)
    others = [np.delete(r, member, 0) for member in range(len(r))]
    return Decided(
        unlearned=float(((u - centre) ** 2).sum()) / images - noise,
        teacher=float(((t - centre) ** 2).sum()) / images - noise,
        members=variance,
        kept=_kept(u, t, r, variance),
        kept_members=tuple(_kept(own, t, rest, variance) for own, rest in zip(r, others, strict=True)),
    )


def _kept(model: Array, teacher: Array, members: Array, variance: float) -> float | None:
    """Both departures share the noise of the members' mean: it is taken off."""
    centre, noise = members.mean(0), variance / len(members)
    whole = float(((teacher - centre) ** 2).sum()) / len(model) - noise
    if whole <= 0:
        return None
    return (float(((model - centre) * (teacher - centre)).sum()) / len(model) - noise) / whole
