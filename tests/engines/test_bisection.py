"""The scale at which a known function meets its target."""

from __future__ import annotations

import math

import pytest
from scripts.engines.bisection import bisect_scale


class Counted:
    def __init__(self, function) -> None:
        self.function, self.asked = function, []

    def __call__(self, scale: float) -> float:
        self.asked.append(scale)
        return self.function(scale)


@pytest.mark.parametrize("slope", [1.1, 1.5, 2.0, 5.0, 20.0])
def test_linear(slope: float) -> None:
    scale, found = bisect_scale(lambda s: slope * s)
    assert abs(found - 1) <= 0.02 and scale == pytest.approx(1 / slope, rel=0.025)
    assert found == slope * scale


@pytest.mark.parametrize(
    ("function", "root"),
    [
        (lambda s: 2 * s**3, 0.5 ** (1 / 3)),
        (lambda s: 3 * math.tanh(s), math.atanh(1 / 3)),
        (lambda s: 1.2 * s**2, 1.2**-0.5),
    ],
)
def test_curved(function, root: float) -> None:
    assert bisect_scale(function, tolerance=1e-4, steps=30)[0] == pytest.approx(root, abs=1e-3)


def test_already_at_the_target() -> None:
    progress = Counted(lambda s: 0.99 * s)
    assert bisect_scale(progress) == (1.0, 0.99) and progress.asked == [1.0]


def test_another_target() -> None:
    scale, found = bisect_scale(lambda s: 2 * s, target=0.5, tolerance=0.001, steps=20)
    assert scale == pytest.approx(0.25, abs=0.001) and found == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.9])
def test_what_falls_short_is_never_scaled_up(slope: float) -> None:
    progress = Counted(lambda s: slope * s)
    assert bisect_scale(progress) == (1.0, slope) and progress.asked == [1.0]


def test_never_outside_the_range_and_never_more_than_the_steps() -> None:
    progress = Counted(lambda s: 0.0 if s < 0.7 else 5.0)  # a jump over the target
    scale, found = bisect_scale(progress, steps=6)
    assert len(progress.asked) <= 8 and all(0 <= s <= 1 for s in progress.asked)
    assert found == progress.function(scale)
    assert abs(found - 1) == min(abs(progress.function(s) - 1) for s in progress.asked)
