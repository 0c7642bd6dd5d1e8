"""RMIA against plain loops, and on models of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.membership import population_attack
from scripts.verify.rmia import rmia_attack
from tests.verify.test_membership import pool


def test_rmia_sees_through_how_hard_an_image_is() -> None:
    scores = pool(kept=0.5)
    population, found = population_attack(scores), rmia_attack(scores)
    assert np.mean(found.original) > np.mean(population.original) + 0.1
    assert np.mean(found.original) > np.mean(found.unlearned) > np.mean(found.retrained) + 0.1
    assert np.mean(found.retrained) == pytest.approx(0.5, abs=0.05)


def test_rmia_is_what_plain_loops_give() -> None:
    scores = pool(kept=0.3, pairs=4, images=7)
    model, others = scores.models["unlearned"][3], [scores.models["retrained"][k] for k in (0, 1)]
    ratio = {
        name: getattr(model, name) - (getattr(others[0], name) + getattr(others[1], name)) / 2
        for name in ("forget", "validation")
    }
    z = ratio["validation"]
    members = [np.mean([x >= other for other in z]) for x in ratio["forget"]]
    outside = [np.mean([x >= other for k, other in enumerate(z) if k != i]) for i, x in enumerate(z)]
    wins = [float(a > b) + 0.5 * float(a == b) for a in members for b in outside]
    assert rmia_attack(scores).unlearned[3] == pytest.approx(np.mean(wins))


def test_too_few_references() -> None:
    with pytest.raises(ValueError, match="RMIA: 2 pairs are too few; at least 3"):
        rmia_attack(pool(kept=0.0, pairs=2))
