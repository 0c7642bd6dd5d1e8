"""Bootstrap intervals against scipy and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, bootstrap
from scripts.verify.interval import bootstrap_mean

NONE = {"mean": None, "low": None, "high": None}


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_scipy_gives_the_same_interval(level: float) -> None:
    values = np.random.default_rng(1).exponential(size=25)
    found = bootstrap_mean(values.tolist(), level=level, draws=20_000)
    expected = bootstrap(
        (values,),
        np.mean,
        method="percentile",
        n_resamples=20_000,
        confidence_level=level,
        rng=np.random.default_rng(2),
    )
    error = 6 * expected.standard_error / np.sqrt(20_000) / (1 - level) ** 0.5  # of a quantile, generously
    assert found["mean"] == pytest.approx(values.mean())
    assert found["low"] == pytest.approx(expected.confidence_interval.low, abs=error)
    assert found["high"] == pytest.approx(expected.confidence_interval.high, abs=error)


def test_zeros_and_ones_follow_the_binomial() -> None:
    found = bootstrap_mean([0.0] * 12 + [1.0] * 8, draws=50_000)
    assert found["low"] == pytest.approx(binom.ppf(0.025, 20, 0.4) / 20, abs=0.051)
    assert found["high"] == pytest.approx(binom.ppf(0.975, 20, 0.4) / 20, abs=0.051)


def test_interval_shrinks_with_the_root_of_the_patients() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (50, 800):
        values = rng.standard_normal(count)
        found = bootstrap_mean(((values - values.mean()) / values.std()).tolist())
        widths.append(found["high"] - found["low"])
        assert widths[-1] == pytest.approx(2 * 1.96 / np.sqrt(count), rel=0.08)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.15)


def test_undefined_values_are_left_out() -> None:
    assert bootstrap_mean([1.0, float("nan"), 3.0]) == bootstrap_mean([1.0, 3.0])


@pytest.mark.parametrize("values", [[], [float("nan")]])
def test_nothing_defined(values: list[float]) -> None:
    assert bootstrap_mean(values) == NONE


@pytest.mark.parametrize("values", [[0.25], [0.25] * 7])
def test_no_spread(values: list[float]) -> None:
    assert bootstrap_mean(values) == {"mean": 0.25, "low": 0.25, "high": 0.25}


def test_same_seed_same_interval_and_order_of_patients_hardly_matters() -> None:
    values = np.random.default_rng(3).standard_normal(30).tolist()
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)
    assert bootstrap_mean(values[::-1])["low"] == pytest.approx(bootstrap_mean(values)["low"], abs=0.05)
