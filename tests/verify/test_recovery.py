"""The recovery family: size, power, and the adjustment for several attacks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from scripts.verify.recovery import recovery_family


def attacked(rng: np.random.Generator, back: dict[str, float], pairs: int = 8) -> dict[str, dict[str, np.ndarray]]:
    def scores(level: float) -> np.ndarray:
        return level + 0.1 * rng.standard_normal(pairs)

    o = scores(1.0)
    return {name: {"original": o, "unlearned": scores(part), "retrained": scores(0.0)} for name, part in back.items()}


def test_p_values_are_those_of_scipy_and_statsmodels() -> None:
    family = attacked(np.random.default_rng(0), {"a": 0.2, "b": 0.4, "c": 0.6})
    found = recovery_family(family)
    single = [
        stats.ttest_1samp(s["unlearned"] - 0.3 * s["original"] - 0.7 * s["retrained"], 0, alternative="greater").pvalue
        for s in family.values()
    ]
    assert [one.p_value for one in found.values()] == pytest.approx(multipletests(single, method="holm")[1])
    gap = (family["b"]["unlearned"] - family["b"]["retrained"]).mean()
    assert found["b"].gap == pytest.approx(gap)
    assert found["b"].fraction == pytest.approx(gap / (family["b"]["original"] - family["b"]["retrained"]).mean())


def test_at_the_margin_the_family_errs_in_at_most_1_percent_and_beyond_it_is_found() -> None:
    rng = np.random.default_rng(1)
    edge = [recovery_family(attacked(rng, {"a": 0.3, "b": 0.3, "c": 0.0})) for _ in range(600)]
    assert sum(min(one.p_value for one in found.values()) < 0.01 for found in edge) <= 0.02 * 600
    back = [recovery_family(attacked(rng, {"a": 0.0, "b": 0.8})) for _ in range(50)]
    assert all(found["b"].p_value < 0.01 < found["a"].p_value for found in back)


def test_refusals() -> None:
    scores = attacked(np.random.default_rng(0), {"a": 0.0})["a"]
    for changes, message in (
        ({"unlearned": scores["unlearned"][:3]}, "at least four of each"),
        ({name: values[:3] for name, values in scores.items()}, "at least four of each"),
        ({"retrained": np.full(8, np.nan)}, "not a finite number"),
        ({name: np.ones(8) for name in scores}, "all pairs differ by the same"),
    ):
        with pytest.raises(ValueError, match=message):
            recovery_family({"a": {**scores, **changes}})
    with pytest.raises(ValueError, match="no attack was made"):
        recovery_family({})
