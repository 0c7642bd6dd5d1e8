from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.contrasts import PairedContrasts
from scripts.verify.power import pairs_needed, power


def test_power_is_that_of_the_contrasts() -> None:
    """The vectorised rule against the class that decides, on draws of their own: four standard errors."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        shared, own = rng.normal(size=6) * np.sqrt(0.5), rng.normal(size=(3, 6)) * np.sqrt(0.5)
        o, u, r = own + shared
        found.append(PairedContrasts(original=o + 4, unlearned=u, retrained=r).equivalent())
    expected = power(effect=4, rho=0.5, pairs=6)
    assert 0.2 < expected < 0.95
    assert abs(np.mean(found) - expected) < 4 * np.sqrt(expected * (1 - expected) / 1000)


@pytest.mark.parametrize(
    ("effect", "rho", "pairs"),
    [(3, 0.0, 32), (4, 0.0, 16), (6, 0.0, 8), (8, 0.0, 6), (3, 0.5, 16), (4, 0.5, 10), (6, 0.5, 5), (4, 0.8, 5)],
)
def test_pairs_of_the_specification_suffice_and_half_of_them_do_not(effect: float, rho: float, pairs: int) -> None:
    assert power(effect=effect, rho=rho, pairs=pairs) >= 0.78
    assert power(effect=effect, rho=rho, pairs=max(2, pairs // 2)) < 0.8


def test_without_a_gap_hardly_anything_passes() -> None:
    assert power(effect=0, rho=0.5, pairs=8) < 0.001


def test_pairs_needed_is_the_smallest_number() -> None:
    needed = pairs_needed(effect=4, rho=0.5)
    assert needed is not None
    assert power(effect=4, rho=0.5, pairs=needed, draws=4000) >= 0.8
    assert power(effect=4, rho=0.5, pairs=needed - 1, draws=4000) < 0.8
    assert pairs_needed(effect=0.2, rho=0.0, budget=12) is None
    assert pairs_needed(effect=100, rho=0.9) == 4


@pytest.mark.parametrize("changes", [{"rho": 1.0}, {"rho": -0.1}, {"pairs": 1}, {"effect": float("nan")}])
def test_bad_input(changes: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        power(**{"effect": 4.0, "rho": 0.5, "pairs": 8, **changes})


def test_a_stricter_level_needs_more_pairs() -> None:
    """A first try has 4 %, a second .8 %: the plan is made for the level at which it will be judged."""
    needed = [pairs_needed(effect=3.0, rho=0.0, level=level) for level in (0.05, 0.04, 0.008)]
    assert all(needed) and needed == sorted(needed) and needed[2] > needed[0]  # type: ignore[operator,type-var]
