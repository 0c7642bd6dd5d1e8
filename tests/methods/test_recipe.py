"""What follows from goal, schedule and task, and what a config may say against it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.methods.recipe import SETTINGS, Recipe, given_fields, leaves_open
from scripts.methods.registry import method_class
from scripts.objectives.registry import FORGET, RETAIN

CASES = [
    (goal, schedule, task)
    for goal in ("unlearn", "suppress")
    for schedule in ("joint", "released")
    for task in ("segmentation", "classification")
]


ABOUT = {"goal": "unlearn", "schedule": "joint", "task": "segmentation", "reference": "fold"}


def recipe(method: str = "erase_to_retain", **given: Any) -> Recipe:
    about = {name: given.pop(name, value) for name, value in ABOUT.items()}
    return method_class(method)(**about, given=given).recipe


@pytest.mark.parametrize(("goal", "schedule", "task"), CASES)
def test_every_combination_can_be_built(goal: str, schedule: str, task: str) -> None:
    found = recipe(goal=goal, schedule=schedule, task=task)
    assert (found.goal, found.schedule) == (goal, schedule)
    FORGET[found.forget_objective](task=task), RETAIN[found.retain_objective](task=task)
    assert 1 <= found.min_rounds <= found.max_rounds


def test_unlearning_asks_the_fold_teachers_unless_told_otherwise() -> None:
    assert recipe().needs_reference and recipe().forget_objective == "imitation"
    assert not recipe(reference="none").needs_reference
    assert recipe(reference="none").forget_objective == "noisy_label"
    assert not recipe(goal="suppress").needs_reference
    assert not recipe(forget_objective="entropy").needs_reference


def test_unlearning_draws_from_as_many_retain_images_however_many_there_are() -> None:
    assert recipe().retain_images == 320 and recipe(retain_images="all").retain_images == "all"
    assert recipe(goal="suppress").retain_images == recipe(schedule="released").retain_images == "all"


def test_released_schedule_as_published() -> None:
    found = recipe(schedule="released")
    assert (found.scope, found.rank, found.alpha, found.dropout) == ("all", 8, 32.0, 0.05)
    assert (found.learning_rate, found.forget_batch, found.retain_batch, found.max_rounds) == (1e-4, 64, 64, 15)
    assert (found.forget_objective, found.retain_objective) == ("background", "supervised_distillation")
    assert not found.bisect and found.stop_at == math.inf and found.min_rounds == found.max_rounds
    classes = recipe(schedule="released", task="classification")
    assert (classes.forget_objective, classes.forget_batch, classes.max_rounds) == ("entropy", 16, 30)
    # One released method for both goals.
    assert recipe(goal="suppress", schedule="released") == Recipe(**{**vars(found), "goal": "suppress"})


def test_config_stands_above_the_defaults() -> None:
    found = recipe(rank=3, learning_rate=None, bisect=False, scope="head", forget_weight=0.0)
    assert (found.rank, found.bisect, found.scope, found.forget_weight) == (3, False, "head", 0.0)
    assert found.learning_rate == recipe().learning_rate


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"goal": "forget"}, "method: 'erase_to_retain' is for goal: unlearn or suppress, not forget"),
        ({"rank": 0}, "lora_rank: 0 is not a positive number"),
        ({"forget_batch": -1}, "forget_batch: -1 is not a positive number"),
        ({"max_rounds": 0}, "max_rounds: 0 is not a positive number"),
        ({"rnak": 8}, "recipe: unknown settings rnak; allowed: goal, "),
    ],
)
def test_values_that_are_not_allowed(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        recipe(**given)
    assert text in str(caught.value)


def test_a_weight_on_a_loss_that_is_not_part_of_the_objective_is_refused() -> None:
    with pytest.raises(InputError, match=r"supervised_weight: 1\.0 has no effect with retain_objective: distillation"):
        recipe(retain_objective="distillation", supervised_weight=1.0)


def test_all_weights_have_defaults_of_their_own_and_no_adapter() -> None:
    found = recipe(trainable="all")
    assert found.trainable == "all" and found.hardening_weight > 0 and not found.bisect and not found.measured
    assert not {"lora_rank", "scope", "lora_alpha", "lora_dropout"} & found.as_settings().keys()
    with pytest.raises(InputError, match="lora_rank: 4 has no effect with trainable: all"):
        recipe(trainable="all", rank=4)
    with pytest.raises(InputError, match="bisect: True has no effect with trainable: all"):
        recipe(trainable="all", bisect=True)


def test_a_recipe_as_settings_makes_the_same_recipe() -> None:
    for given in ({}, {"trainable": "all"}, {"goal": "suppress"}, {"schedule": "released"}):
        found = recipe(**given)
        again = given_fields(found.as_settings())
        assert recipe(**{name: given[name] for name in given if name in ABOUT}, **again) == found


def test_the_released_schedule_is_not_hardened() -> None:
    with pytest.raises(InputError, match=r"hardening_weight: 0\.3 needs forget and retain images in one step"):
        recipe(schedule="released", hardening_weight=0.3)


@pytest.mark.parametrize("given", [{}, {"trainable": "all"}, {"goal": "suppress"}, {"schedule": "released"}])
def test_a_whole_recipe_leaves_nothing_open(given: dict[str, Any]) -> None:
    nothing = dict.fromkeys(SETTINGS)
    assert leaves_open(nothing)
    whole = {**nothing, **recipe(**given).as_settings()}
    assert not leaves_open(whole)
    assert leaves_open({**whole, "retain_batch": None})
