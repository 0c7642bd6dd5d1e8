"""Bounds against statsmodels, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.noninferiority import noninferiority
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired


def measures(seed: int = 0, loss: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patients = rng.uniform(0.6, 0.9, 20)
    r = patients + 0.02 * rng.standard_normal((6, 20))
    u = patients - loss + 0.02 * rng.standard_normal((6, 20))
    return u, r, patients - loss + 0.02 * rng.standard_normal(20)


def test_bounds_are_those_of_statsmodels() -> None:
    u, r, own = measures()
    found = noninferiority(unlearned=u, retrained=r, delivered=own, margin=0.02)
    over_seeds, over_patients = DescrStatsW((u - r).mean(1)), DescrStatsW(own - r.mean(0))
    assert found.bound == pytest.approx(over_seeds.tconfint_mean(alpha=0.1)[0])
    assert found.delivered_bound == pytest.approx(over_patients.tconfint_mean(alpha=0.1)[0])
    assert found.difference == pytest.approx((u - r).mean()) and found.delivered == pytest.approx((own - r).mean())


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.02, 0.03])
def test_shown_where_the_lower_of_two_one_sided_tests_rejects(loss: float) -> None:
    u, r, _ = measures(seed=3, loss=loss)
    found = noninferiority(unlearned=u, retrained=r, margin=0.02)
    _, (_, p_lower, _), _ = ttost_paired(u.mean(1), r.mean(1), -0.02, 1.0)
    assert found.shown == (p_lower < 0.05) and found.delivered_bound is None


def test_a_loss_of_the_whole_margin_is_shown_harmless_in_at_most_5_percent() -> None:
    shown = [
        noninferiority(unlearned=u, retrained=r, margin=0.02).shown
        for u, r, _ in map(lambda s: measures(s, 0.02), range(400))
    ]
    assert sum(shown) <= 0.075 * 400


def test_less_is_better_for_a_rate_of_errors() -> None:
    u, r, own = measures(loss=-0.1)
    assert noninferiority(unlearned=u, retrained=r, delivered=own, margin=0.02).shown
    found = noninferiority(unlearned=u, retrained=r, delivered=own, margin=0.02, higher_is_better=False)
    assert not found.shown and found.difference < -0.09


def test_the_delivered_model_is_held_to_it_too() -> None:
    u, r, own = measures()
    assert noninferiority(unlearned=u, retrained=r, delivered=own, margin=0.03).shown
    assert not noninferiority(unlearned=u, retrained=r, delivered=own - 0.1, margin=0.03).shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retrained": np.ones((6, 19))}, "alike for both"),
        ({"unlearned": np.ones((3, 20)), "retrained": np.ones((3, 20))}, "3 pairs of 20 patients are too few"),
        ({"delivered": np.ones(3)}, "for 20 patients"),
        ({"margin": 0.0}, "is not above 0"),
        ({"delivered": np.full(20, np.nan)}, "not a finite number"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    u, r, own = measures()
    with pytest.raises(ValueError, match=message):
        noninferiority(**{"unlearned": u, "retrained": r, "delivered": own, "margin": 0.02, **change})
