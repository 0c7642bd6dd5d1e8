"""What a trial says of a recipe, and the order in which recipes are preferred."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripts.pool.candidates import Candidate, candidates
from scripts.pool.preparation import recipe_file
from scripts.pool.trial import Measured, Trial

ONE = Measured(
    score=(3.0, 1.0, 1.0),
    metric=(0.9, 0.7, 0.7),
    distance=(0.2, 0.05),
    kept=(0.004, -0.002),
    held=(0.001, -0.003),
    agreement=0.97,
    attacked_score=(1.3, 1.1),
    attacked_metric=(0.71, 0.71),
    seconds=10.0,
)


def trial(method: str = "fold_start", *more: Measured, **changes: object) -> Trial:
    return Trial(Candidate(method, {"retain_batch": 4}), (replace(ONE, **changes), *more))  # type: ignore[arg-type]


def test_figures_of_one_mock_request_by_hand() -> None:
    found = trial()
    assert found.kept == -0.002 and found.held == -0.003
    assert found.nearness == pytest.approx(0.25)
    assert found.fraction == pytest.approx(1.0)
    # By score .3 of 2 comes back, .1 of it without any memory; by metric nothing: the larger share counts.
    assert found.recovered == pytest.approx(0.1)
    assert trial(attacked_metric=(0.81, 0.71)).recovered == pytest.approx(0.5)


def test_mock_requests_are_summed_before_shares_are_taken() -> None:
    other = replace(ONE, score=(2.0, 2.0, 2.0), attacked_score=(2.2, 2.0), metric=(0.8, 0.8, 0.8))
    other = replace(other, attacked_metric=(0.8, 0.8))
    found = trial("fold_start", other)
    assert found.recovered == pytest.approx((0.3 - 0.1 + 0.2) / 2)
    assert found.fraction == pytest.approx(1.0)
    assert found.kept == -0.002 and found.seconds == 10.0


def test_without_a_gap_no_share_is_told() -> None:
    none = trial(score=(1.0, 1.0, 1.0), metric=(0.8, 0.8, 0.8), attacked_metric=(0.9, 0.8))
    assert none.fraction is None and none.recovered is None
    assert "FF -, recovered -" in none.told()
    little = trial(score=(1.09, 1.0, 1.0), metric=(0.809, 0.8, 0.8), attacked_metric=(0.9, 0.8))
    assert little.fraction is None and little.recovered is None and little.order()[2] == 0.0
    # Nothing was forgotten, of which nothing can come back.
    assert trial(score=(2.0, 2.0, 1.0), metric=(0.8, 0.8, 0.8)).recovered == 0.0


def test_guard_comes_before_depth_and_depth_before_agreement_and_cost() -> None:
    good = trial()
    harmful = trial(kept=(-0.03, 0.0), agreement=0.99, seconds=1.0)
    not_forgotten = trial(score=(3.0, 2.0, 1.0), attacked_score=(2.0, 1.0), agreement=0.99, seconds=1.0)
    shallow = trial(attacked_metric=(0.8, 0.71), agreement=0.99, seconds=1.0)
    apart = trial(agreement=0.90, seconds=1.0)
    dear = trial(seconds=20.0)
    found = sorted([dear, apart, shallow, not_forgotten, harmful, good], key=Trial.order)
    assert found == [good, dear, apart, shallow, not_forgotten, harmful]


def test_what_a_whole_fold_lacks_is_no_excuse() -> None:
    """As good as a model without the fold, and .03 below the teacher: what is like the teacher goes before it."""
    good, fold_like = trial("erase_to_retain", seconds=60.0), trial(held=(0.0, -0.03))
    assert fold_like.kept == good.kept
    assert sorted([fold_like, good], key=Trial.order) == [good, fold_like]


def test_the_file_holds_the_best_of_each_method_and_no_more_than_was_measured() -> None:
    first, second = trial("erase_to_retain"), trial("fold_start", seconds=20.0)
    found = recipe_file([first, second, trial("fold_start", seconds=30.0)], teacher="digest")
    assert found.preference == ["erase_to_retain", "fold_start"]
    assert found.settings["fold_start"] == {"retain_batch": 4}
    assert found.reasons["fold_start"] == f"on 1 mock requests: {second.told()}"
    assert len(found.trials) == 3 and found.trials[0]["cpu_seconds"] == 10.0


@pytest.mark.parametrize("batch", [1, 4, 16])
def test_every_candidate_is_a_recipe_of_its_method(batch: int) -> None:
    from scripts.methods.registry import build_method
    from tests.methods.test_methods import ABOUT

    found = candidates(batch=batch)
    assert {one.method for one in found} == {"fold_start", "erase_to_retain"}
    for one in found:
        recipe = build_method(one.method, ABOUT, calibrated=one.settings).recipe
        assert recipe.retain_batch >= 1 and recipe.steps_per_round * recipe.max_rounds <= 200
