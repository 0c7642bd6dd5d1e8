"""Qualification: known truth, and too few requests."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.verify.qualification import qualify


def patients(kept: float, *, count: int = 20, gap: float = 1.0, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    hard, memory = rng.standard_normal(count), gap * (1 + 0.3 * rng.standard_normal(count))

    def scores(part: float) -> np.ndarray:
        return hard + part * memory + 0.1 * rng.standard_normal(count)

    return {"original": scores(1.0), "unlearned": scores(kept), "retrained": scores(0.0)}


@pytest.mark.parametrize(
    ("kept", "gap", "qualified", "reason"),
    [
        (0.0, 1.0, True, "no detectable difference"),
        (0.6, 1.0, False, "still known by more"),
        (-0.6, 1.0, False, "below models that never saw them"),
        (0.3, 1.0, False, "neither equivalence nor a difference"),
        (0.0, 0.0, False, "nothing can be qualified"),
    ],
)
def test_of_known_truth(kept: float, gap: float, qualified: bool, reason: str) -> None:
    found = qualify(**patients(kept, gap=gap))
    assert found.qualified is qualified and reason in found.reason and found.requests == 20


def test_an_unqualified_procedure_is_hardly_ever_qualified() -> None:
    """At the margin itself, 5 %."""
    rate = np.mean([qualify(**patients(0.3, seed=seed)).qualified for seed in range(300)])
    assert rate < 0.08
    assert np.mean([qualify(**patients(0.0, seed=seed)).qualified for seed in range(100)]) > 0.95


def test_too_few() -> None:
    with pytest.raises(ValueError, match="15 are too few; at least 16"):
        qualify(**patients(0.0, count=15))
