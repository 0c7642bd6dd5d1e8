"""The adapter's scale at which the student stands just at its goal."""

from __future__ import annotations

from collections.abc import Callable


def bisect_scale(
    progress: Callable[[float], float],
    *,
    target: float = 1.0,
    tolerance: float = 0.02,
    steps: int = 10,
) -> tuple[float, float]:
    """Scale in 0..1 with `|progress(scale) - target| <= tolerance`, and the progress there.

    Progress is 0 at scale 0 (the teacher). What was trained is never scaled up: on the phantom a scale of
    1.25 went past the reference where progress said .87. An adapter that falls short stays as it is.
    """
    best = (1.0, progress(1.0))
    if best[1] <= target + tolerance:
        return best
    low, top = 0.0, 1.0
    for _ in range(steps):
        middle = (low + top) / 2
        found = progress(middle)
        if abs(found - target) < abs(best[1] - target):
            best = (middle, found)
        if abs(found - target) <= tolerance:
            break
        low, top = (middle, top) if found < target else (low, middle)
    return best
