from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.contrasts import PairedContrasts


def scores(fraction: float, *, seed: int, pairs: int = 8, gap: float = 6.0, rho: float = 0.5) -> dict[str, np.ndarray]:
    """Gaussian scores, seed deviation of a model 1, `rho` shared in a pair; `fraction` of the gap is forgotten."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=pairs) * np.sqrt(rho)
    own = rng.normal(size=(3, pairs)) * np.sqrt(1 - rho)
    o, u, r = own + shared
    return {"original": o + gap, "unlearned": u + gap * (1 - fraction), "retrained": r}


def test_statistics_are_those_of_scipy() -> None:
    found = scores(0.9, seed=0)
    o, u, r = found["original"], found["unlearned"], found["retrained"]
    made = PairedContrasts(**found)
    assert made.gap.t == pytest.approx(stats.ttest_rel(o, r).statistic)
    assert made.difference.t == pytest.approx(stats.ttest_rel(u, r).statistic)
    assert made.upper.t == pytest.approx(stats.ttest_1samp(u - 0.3 * o - 0.7 * r, 0).statistic)
    assert made.lower.t == pytest.approx(stats.ttest_1samp(u + 0.3 * o - 1.3 * r, 0).statistic)
    assert made.rho == pytest.approx(stats.pearsonr(o, r).statistic)
    assert made.sigma**2 == pytest.approx((o.var(ddof=1) + r.var(ddof=1)) / 2)
    assert made.forgotten_fraction == pytest.approx((o - u).mean() / (o - r).mean())
    for contrast in (made.gap, made.upper, made.lower):
        p = stats.t.sf(contrast.t, 7)
        assert contrast.above(0.05) == (p < 0.05) and contrast.below(0.01) == (p > 0.99)


@pytest.mark.parametrize(
    ("fraction", "equivalent", "under", "over"),
    [(1.0, True, False, False), (0.0, False, True, False), (0.4, False, True, False), (1.7, False, False, True)],
)
def test_decisions(fraction: float, equivalent: bool, under: bool, over: bool) -> None:
    made = PairedContrasts(**scores(fraction, seed=1, gap=20.0))
    assert (made.equivalent(), made.under, made.over) == (equivalent, under, over)


@pytest.mark.parametrize("fraction", [0.7, 1.3])
def test_size_at_the_margin(fraction: float) -> None:
    """At the edge of the margin a model is called equivalent in 5 % of cases: 2,000 draws, three standard errors."""
    called = np.mean([PairedContrasts(**scores(fraction, seed=seed)).equivalent() for seed in range(2000)])
    assert called <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_power_of_a_true_retrain() -> None:
    """g / sigma 6, rho .5, eight pairs: at least four of five, as the specification asks."""
    assert np.mean([PairedContrasts(**scores(1.0, seed=seed)).equivalent() for seed in range(500)]) >= 0.8


def test_without_a_gap_nothing_is_equivalent() -> None:
    found = [PairedContrasts(**scores(1.0, seed=seed, gap=0.0)) for seed in range(500)]
    assert not any(made.equivalent() for made in found)
    assert not any(made.under for made in found)


def test_no_spread_decides_nothing() -> None:
    same = {"original": np.full(8, 2.0), "unlearned": np.zeros(8), "retrained": np.zeros(8)}
    made = PairedContrasts(**same)
    assert np.isnan(made.gap.t) and made.rho is None
    assert not (made.separable or made.equivalent() or made.under or made.over)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"original": [1.0, 2.0, 3.0]}, "one of each a pair"),
        ({name: [0.0, 1.0, 2.0] for name in ("original", "unlearned", "retrained")}, "3 are too few"),
        ({"unlearned": [0.0, float("nan"), 1.0, 2.0]}, "not a finite number"),
        ({"retrained": [0.0, float("inf"), 1.0, 2.0]}, "not a finite number"),
        ({"margin": 0.0}, "between 0 and 1"),
    ],
)
def test_bad_input(changes: dict, message: str) -> None:
    good = {"original": [5.0, 6, 7, 8], "unlearned": [0.0, 1, 0, 2], "retrained": [1.0, 0, 2, 1]}
    with pytest.raises(ValueError, match=message):
        PairedContrasts(**{**good, **changes})
