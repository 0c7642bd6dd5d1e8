"""Excess departure of one model: its expectation by hand, its size and its power."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scripts.verify.excess import excess_departure

IMAGES, REFERENCES = 16, 6


def drawn(rng: np.random.Generator, kept: float, *, effect: float = 12.0) -> dict[str, np.ndarray]:
    """Arguments of `excess_departure`: a model that keeps a part of its original's memory; `effect` is gap / sigma."""
    memory = 1 + 0.3 * rng.standard_normal(IMAGES)

    def noise() -> np.ndarray:
        return (rng.standard_normal() + rng.standard_normal(IMAGES)) / effect

    retrained = np.stack([noise() for _ in range(REFERENCES)])
    return {"model": kept * memory + noise(), "original": memory + noise(), "retrained": retrained}


def test_value_is_the_mean_of_cross_products() -> None:
    given = drawn(np.random.default_rng(0), 0.5)
    r = given["retrained"]
    pairs = list(itertools.permutations(range(REFERENCES), 2))

    def departure(model: np.ndarray) -> float:
        return float(np.mean([(model - r[j]) @ (model - r[k]) for j, k in pairs]))

    one_more = ((r - r.mean(0)) ** 2).sum() / (REFERENCES - 1)
    expected = (departure(given["model"]) - one_more) / (departure(given["original"]) - one_more)
    assert excess_departure(**given).value == pytest.approx(expected)


def test_one_more_retrained_model_has_none_on_the_mean_and_the_original_has_all() -> None:
    rng = np.random.default_rng(1)
    found = [excess_departure(**drawn(rng, 0.0)).value for _ in range(400)]
    assert np.mean(found) == pytest.approx(0, abs=0.01)
    given = drawn(rng, 0.0)
    assert excess_departure(**{**given, "model": given["original"]}).value == pytest.approx(1)


def test_a_retrained_model_is_within_the_margin_and_one_that_keeps_half_is_not() -> None:
    rng = np.random.default_rng(2)
    true = [excess_departure(**drawn(rng, 0.0)).met(0.3) for _ in range(200)]
    half = [excess_departure(**drawn(rng, 0.5)).met(0.3) for _ in range(200)]
    assert np.mean(true) >= 0.8 and np.mean(half) <= 0.05


def test_no_bound_where_the_original_does_not_stand_out() -> None:
    given = drawn(np.random.default_rng(3), 0.0)
    assert excess_departure(**{**given, "original": given["retrained"].mean(0)}).upper == np.inf


def test_refusals() -> None:
    given = drawn(np.random.default_rng(4), 0.0)
    for changes, message in (
        ({"model": given["model"][1:]}, "shapes"),
        ({"retrained": given["retrained"][:2]}, "2 are too few; at least 3"),
        ({"original": np.full(IMAGES, np.nan)}, "not a finite number"),
    ):
        with pytest.raises(ValueError, match=message):
            excess_departure(**{**given, **changes})
