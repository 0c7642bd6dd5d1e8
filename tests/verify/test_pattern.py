from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.pattern import pattern

PAIRS, IMAGES = 6, 20


def models(kept: float, *, seed: int = 0, noise: float = 0.3) -> dict[str, np.ndarray]:
    """Scores in which the unlearned models keep a part of what the originals know of each image."""
    rng = np.random.default_rng(seed)
    known = rng.normal(size=IMAGES) + 2
    drawn = rng.normal(size=(3, PAIRS, IMAGES)) * noise
    return {"original": drawn[0] + known, "unlearned": drawn[1] + kept * known, "retrained": drawn[2]}


def by_loops(left: np.ndarray, whole: np.ndarray) -> float:
    def cross(rows: np.ndarray) -> float:
        count = range(len(rows))
        return sum(float(np.dot(rows[j], rows[k])) for j in count for k in count if j != k)

    return cross(left) / cross(whole)


def test_value_and_bound_are_those_of_plain_loops() -> None:
    given = models(0.5)
    left, whole = given["unlearned"] - given["retrained"], given["original"] - given["retrained"]
    found = pattern(**given)
    assert found.value == pytest.approx(by_loops(left, whole))
    kept = [[k for k in range(PAIRS) if k != j] for j in range(PAIRS)]
    values = [by_loops(left[rows], whole[rows]) for rows in kept]
    error = np.sqrt((PAIRS - 1) * np.var(values))
    assert found.upper == pytest.approx(found.value + stats.t.ppf(0.95, PAIRS - 1) * error)


def test_original_is_one_and_retrained_is_about_zero() -> None:
    given = models(1.0)
    same = pattern(**{**given, "unlearned": given["original"]})
    assert same.value == 1 and not same.met(0.3)
    other = pattern(**models(0.0))
    assert abs(other.value) < 0.05 and other.met(0.3)


def test_equal_means_with_another_pattern_are_found() -> None:
    """Half of the images known as before, the others pushed as far the other way: the mean is the retrained one's."""
    given = models(0.0, noise=0.1)
    push = np.where(np.arange(IMAGES) % 2, 2.0, -2.0)
    found = pattern(**{**given, "unlearned": given["retrained"] + push})
    assert found.value > 0.09 and not found.met(0.3)


def test_originals_without_a_pattern_meet_nothing() -> None:
    rng = np.random.default_rng(3)
    signs = np.array([1, -1, 1, -1, 1, -1])[:, None] * np.ones((PAIRS, IMAGES))
    found = pattern(original=signs, unlearned=rng.normal(size=(PAIRS, IMAGES)) * 1e-3, retrained=0 * signs)
    assert found.upper == float("inf") and not found.met(0.3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unlearned": np.zeros((PAIRS, IMAGES + 1))}, "alike for all"),
        ({"unlearned": np.full((PAIRS, IMAGES), np.nan)}, "finite"),
    ],
)
def test_bad_input(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pattern(**{**models(0.0), **changes})


def test_three_pairs_are_too_few() -> None:
    with pytest.raises(ValueError, match="3 are too few"):
        pattern(**{name: rows[:3] for name, rows in models(0.0).items()})
