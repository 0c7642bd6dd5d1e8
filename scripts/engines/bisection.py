"""The adapter's scale at which the student stands just at its goal."""

from __future__ import annotations

from collections.abc import Callable


def bisect_scale(
    progress: Callable[[float], float],
    *,
    target: float = 1.0,
    high: float = 1.25,
    tolerance: float = 0.02,
    steps: int = 10,
) -> tuple[float, float]:
    """Scale in 0..high with `|progress(scale) - target| <= tolerance`, and the progress there.

    Progress is 0 at scale 0 (the teacher). Where not even `high` reaches the target the scale stays at
    1, or at `high` where that comes nearer without loss of direction.
    """
    at_one = progress(1.0)
    if abs(at_one - target) <= tolerance:
        return 1.0, at_one
    low, top = (0.0, 1.0) if at_one > target else (1.0, high)
    if at_one < target:
        at_top = progress(high)
        if at_top < target:
            return (high, at_top) if at_top > at_one else (1.0, at_one)
    best = (1.0, at_one)
    for _ in range(steps):
        middle = (low + top) / 2
        found = progress(middle)
        if abs(found - target) < abs(best[1] - target):
            best = (middle, found)
        if abs(found - target) <= tolerance:
            break
        low, top = (middle, top) if found < target else (low, middle)
    return best
