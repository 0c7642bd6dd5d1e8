"""How soon a model relearns the forget images: steps until a level, beside its retrained twin's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scripts.verify.contrasts import contrast

LEVEL = 0.5  # of the way from the retrained models to the originals


@dataclass(frozen=True)
class Relearned:
    """Informs, does not decide.

    Attributes:
        steps: looks, in optimiser steps.
        curves: kind -> mean corrected score at each look, nats.
        level: to be reached, nats.
        unlearned, retrained: restricted mean of the steps to it: who does not reach it counts with the last look.
        difference: unlearned minus retrained, pair by pair; below 0: relearned sooner, so something was left.
        interval: 95 %, None where all pairs differ by the same.
    """

    steps: tuple[int, ...]
    curves: dict[str, tuple[float, ...]]
    level: float
    unlearned: float
    retrained: float
    difference: float
    interval: tuple[float, float] | None


def steps_to(level: float, steps: Sequence[int], curve: ArrayLike) -> float:
    """Step at which a curve first reaches the level, by linear interpolation; the last one where it does not."""
    values = np.asarray(curve, dtype=np.float64)
    above = np.flatnonzero(values >= level)
    if not len(above):
        return float(steps[-1])
    first = int(above[0])
    if first == 0:
        return float(steps[0])
    part = (level - values[first - 1]) / (values[first] - values[first - 1])
    return float(steps[first - 1] + part * (steps[first] - steps[first - 1]))


def relearned(*, steps: Sequence[int], original: ArrayLike, curves: Mapping[str, ArrayLike]) -> Relearned:
    """Paired comparison of the steps to half of the gap.

    Args:
        original: (J,) corrected scores as they are.
        curves: `unlearned` and `retrained`: (J, looks).

    Raises:
        ValueError: shapes that do not fit, fewer than four pairs, a value that is not finite.
    """
    u, r = (np.asarray(curves[name], dtype=np.float64) for name in ("unlearned", "retrained"))
    o = np.asarray(original, dtype=np.float64)
    if u.shape != r.shape or u.shape != (len(o), len(steps)) or len(o) < 4:
        raise ValueError(f"relearning: {u.shape} and {r.shape} for {len(o)} originals and {len(steps)} looks")
    if not all(np.isfinite(values).all() for values in (o, u, r)):
        raise ValueError("relearning: a score is not a finite number")
    level = float(r[:, 0].mean() + LEVEL * (o.mean() - r[:, 0].mean()))
    times = {name: np.array([steps_to(level, steps, curve) for curve in c]) for name, c in (("u", u), ("r", r))}
    found = contrast(times["u"] - times["r"])
    return Relearned(
        steps=tuple(steps),
        curves={"unlearned": tuple(u.mean(0).tolist()), "retrained": tuple(r.mean(0).tolist())},
        level=level,
        unlearned=float(times["u"].mean()),
        retrained=float(times["r"].mean()),
        difference=found.mean,
        interval=found.interval(0.95) if np.isfinite(found.t) else None,
    )
