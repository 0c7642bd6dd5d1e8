"""The recovery family: each attack must be shown to bring back less than the margin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.recovery import recovery_family


def attacked(rng: np.random.Generator, back: dict[str, float], pairs: int = 8, spread: float = 0.1) -> dict:
    """Arguments of `recovery_family`: parts of a gap of one nat that come back, each score with this spread."""

    def scores(level: float) -> np.ndarray:
        return level + spread * rng.standard_normal(pairs)

    gap = scores(1.0) - scores(0.0)
    # An attack moves the score of models that never saw the data too.
    family = {name: {"unlearned": scores(3 + part), "retrained": scores(3.0)} for name, part in back.items()}
    return {"attacked": family, "gap": gap}


def test_p_values_are_those_of_scipy_and_the_bound_is_where_they_cross_5_percent() -> None:
    family = attacked(np.random.default_rng(0), {"a": 0.0, "b": 0.2, "c": 0.6})

    def p_value(name: str, part: float) -> float:
        u, r = (family["attacked"][name][kind] for kind in ("unlearned", "retrained"))
        return float(stats.ttest_1samp(u - r - part * family["gap"], 0, alternative="less").pvalue)

    for name, one in recovery_family(**family).items():
        assert one.p_value == pytest.approx(p_value(name, 0.3))
        assert one.bound is not None and p_value(name, one.bound) == pytest.approx(0.05, abs=1e-4)
        assert one.met() == (one.bound < 0.3) == (one.p_value < 0.05)
    back = (family["attacked"]["b"]["unlearned"] - family["attacked"]["b"]["retrained"]).mean()
    found = recovery_family(**family)["b"]
    assert found.gap == pytest.approx(back)
    assert found.fraction == pytest.approx(back / family["gap"].mean())


def test_at_the_margin_it_is_met_in_at_most_5_percent_and_without_recovery_nearly_always() -> None:
    rng = np.random.default_rng(1)
    edge = [recovery_family(**attacked(rng, {"a": 0.3}))["a"].met() for _ in range(600)]
    assert np.mean(edge) <= 0.07
    none = [recovery_family(**attacked(rng, {"a": 0.0}))["a"].met() for _ in range(200)]
    assert np.mean(none) >= 0.9


def test_what_comes_back_unseen_is_not_met() -> None:
    """Four pairs of a wide spread, in which more than the whole gap comes back: no test rejects, and none is met."""
    rng = np.random.default_rng(2)
    found = [recovery_family(**attacked(rng, {"a": 1.2}, pairs=4, spread=0.8))["a"] for _ in range(200)]
    assert np.mean([one.met() for one in found]) <= 0.02
    assert all(one.bound is None or one.bound > 0.3 for one in found if not one.met())


def test_where_the_original_does_not_stand_out_nothing_bounds_it() -> None:
    rng = np.random.default_rng(3)
    same = attacked(rng, {"a": 0.0})
    assert recovery_family(attacked=same["attacked"], gap=same["gap"] - 1.5)["a"].bound is None


def test_refusals() -> None:
    family = attacked(np.random.default_rng(0), {"a": 0.0})
    scores, gap = family["attacked"]["a"], family["gap"]
    for changes, own, message in (
        ({"unlearned": scores["unlearned"][:3]}, gap, "at least four of each"),
        ({name: values[:3] for name, values in scores.items()}, gap[:3], "at least four of each"),
        ({}, gap[:7], "at least four of each"),
        ({"retrained": np.full(8, np.nan)}, gap, "not a finite number"),
        ({name: np.ones(8) for name in scores}, np.ones(8), "all pairs differ by the same"),
    ):
        with pytest.raises(ValueError, match=message):
            recovery_family({"a": {**scores, **changes}}, gap=own)
    with pytest.raises(ValueError, match="no attack was made"):
        recovery_family({}, gap=gap)
