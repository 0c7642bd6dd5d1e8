"""Attacks from scores: against scikit-learn and plain loops, and on models of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.membership import area, lira_attack, population_attack, true_positives
from scripts.verify.scores import ModelScores, RequestScores
from sklearn.metrics import roc_auc_score, roc_curve


def test_area_is_that_of_scikit_learn_ties_among_them() -> None:
    rng = np.random.default_rng(0)
    members, others = rng.integers(0, 6, 17), rng.integers(0, 5, 23)
    expected = roc_auc_score([1] * 17 + [0] * 23, np.concatenate([members, others]))
    assert area(members, others) == pytest.approx(expected)
    assert area([2, 3], [0, 1]) == 1 and area([1], [1]) == 0.5


def pool(kept: float, *, pairs: int = 6, images: int = 60) -> RequestScores:
    """Images differ in how hard they are; originals know forget images by one nat, unlearned ones by a part of it."""
    rng = np.random.default_rng(1)
    hard = {name: 2 * rng.standard_normal(images) for name in ("forget", "validation")}

    def model(known: float) -> ModelScores:
        noise = {name: 0.5 * rng.standard_normal(images) for name in hard}
        return ModelScores(hard["forget"] + noise["forget"] + known, hard["validation"] + noise["validation"])

    return RequestScores(
        patients=list(range(images)),
        validation_patients=list(range(images)),
        original=[model(1.0) for _ in range(pairs)],
        unlearned=[model(kept) for _ in range(pairs)],
        retrained=[model(0.0) for _ in range(pairs)],
    )


def test_lira_sees_through_how_hard_an_image_is() -> None:
    scores = pool(kept=0.5)
    population, lira = population_attack(scores), lira_attack(scores)
    assert np.mean(lira.original) > np.mean(population.original) + 0.1
    assert np.mean(lira.original) > np.mean(lira.unlearned) > np.mean(lira.retrained) + 0.1
    assert np.mean(lira.retrained) == pytest.approx(0.5, abs=0.05)


def test_curves_are_those_of_scikit_learn_ties_among_them() -> None:
    rng = np.random.default_rng(2)
    for levels in (6, 1000):
        members, others = (rng.integers(0, levels, count).astype(float) for count in (17, 23))
        rates = np.linspace(0, 1, 21)
        truth, given = [1] * 17 + [0] * 23, np.concatenate([members, others])
        false, true, _ = roc_curve(truth, given, drop_intermediate=False)
        top = {rate: true[false == rate].max() for rate in np.unique(false)}
        expected = np.interp(rates, list(top), list(top.values()))
        assert true_positives(members, others, rates) == pytest.approx(expected)


def test_a_curve_begins_where_three_held_out_images_stand_for_its_rate() -> None:
    found = population_attack(pool(kept=0.0, images=20))
    assert found.rates[0] == pytest.approx(0.15) and found.rates[-1] == 1
    assert all(len(row) == len(found.rates) and row[-1] == 1 for row in found.curves.values())
    few = population_attack(pool(kept=0.0, images=2))
    assert few.rates == (1.0,)


def test_lira_is_what_a_plain_loop_gives() -> None:
    scores = pool(kept=0.0, pairs=4, images=5)
    model, others = scores.models["unlearned"][1], [scores.models["retrained"][k] for k in (0, 2, 3)]
    found = []
    for name in ("forget", "validation"):
        out = np.array([getattr(other, name) for other in others])
        spread = np.sqrt(np.mean([np.var(column, ddof=1) for column in out.T]))
        found.append([(getattr(model, name)[i] - out[:, i].mean()) / spread / np.sqrt(4 / 3) for i in range(5)])
    wins = [float(a > b) for a in found[0] for b in found[1]]
    assert lira_attack(scores).unlearned[1] == pytest.approx(np.mean(wins))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="3 pairs are too few; at least 4"):
        lira_attack(pool(0.0, pairs=3))
    with pytest.raises(ValueError, match="all of them finite"):
        area([], [1.0])
    with pytest.raises(ValueError, match="all of them finite"):
        area([float("nan")], [1.0])
    scores = pool(0.0)
    same = RequestScores(
        patients=scores.patients.tolist(),
        validation_patients=scores.validation_patients.tolist(),
        **{name: models[:1] * 6 for name, models in scores.models.items()},
    )
    with pytest.raises(ValueError, match="all out-models say the same"):
        lira_attack(same)
