"""NSGA-II over brightness, contrast and gamma, then a local search from the best fifth (2505.11246)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scripts.enhancement.aims import Aims, Change, outside
from scripts.errors import InputError

LOWEST, HIGHEST = (-0.2, 0.7, 0.4), (0.3, 1.6, 1.4)  # of brightness, contrast and gamma
POPULATION, GENERATIONS, SEED = 24, 12, 0
BEST = 0.2  # share of the population from which the local search begins
STEPS, WIDTH = 8, 0.05  # of the local search; of a parameter's range
SIZE = 96  # pixels of the longer side at which pictures are compared


def enhanced(picture: NDArray[np.float32]) -> Change:
    """The change of a picture (H, W[, 3]) in 0..1; none where its mean brightness needs no mending.

    Raises:
        InputError: pymoo is not installed.
    """
    small = _small(picture)
    if not outside(float(small.mean())):
        return Change()
    aims = Aims(small)
    found = [Change(*row) for row in _front(aims)]
    return _best(_local(found, aims), aims)


def _front(aims: Aims) -> NDArray[np.float64]:
    """Parameters of the last population's non-dominated solutions, (n, 3)."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import ElementwiseProblem
        from pymoo.optimize import minimize
    except ImportError as error:
        raise InputError("enhancement needs pymoo, which is not installed: pip install pymoo") from error

    class Problem(ElementwiseProblem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=3, n_obj=3, xl=np.array(LOWEST), xu=np.array(HIGHEST))

        def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            out["F"] = aims.of(Change(*(float(value) for value in x)))

    found = minimize(Problem(), NSGA2(pop_size=POPULATION), ("n_gen", GENERATIONS), seed=SEED, verbose=False)
    return np.atleast_2d(found.X)


def _local(found: Sequence[Change], aims: Aims) -> list[Change]:
    """Small random moves from the best ones, each kept where it is better."""
    order = sorted(found, key=lambda change: _sum(aims.of(change)))
    draw = np.random.default_rng(SEED)
    low, high = np.array(LOWEST), np.array(HIGHEST)
    improved = []
    for change in order[: max(1, round(BEST * len(order)))]:
        best, value = change, _sum(aims.of(change))
        for _ in range(STEPS):
            moved = np.array(astuple(best)) + WIDTH * (high - low) * draw.standard_normal(3)
            other = Change(*(float(one) for one in moved.clip(low, high)))
            if (new := _sum(aims.of(other))) < value:
                best, value = other, new
        improved.append(best)
    return [*improved, *order]


def _best(found: Sequence[Change], aims: Aims) -> Change:
    return min(found, key=lambda change: _sum(aims.of(change)))


def _sum(values: tuple[float, float, float]) -> float:
    """Entropy in eighths of a bit's full scale, distance, and brightness in tenths: about alike in size."""
    return values[0] / 8 + values[1] + 10 * values[2]


def _small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    step = max(1, round(max(picture.shape[:2]) / SIZE))
    return np.ascontiguousarray(picture[::step, ::step])
