"""Methods: where their students start, what they look at, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from scripts.errors import InputError
from scripts.methods.fold_start import start_fold
from scripts.methods.method import Context, Method
from scripts.methods.registry import NAMES, build_method, method_class
from scripts.objectives.labels import Labels

ABOUT = {"goal": "unlearn", "schedule": "joint", "task": "segmentation", "reference": "fold", "exact": False}


def method(name: str, **settings: Any) -> Method:
    return build_method(name, ABOUT | settings)


def context(bench: Any, cohort: Any = None) -> Context:
    asked: list[int] = []

    def member(fold: int) -> Any:
        asked.append(fold)
        network = bench.network()
        network.load_state_dict(torch.load(bench.model_dir / f"model_fold{fold}.pt"))
        return network.eval()

    sample = torch.zeros(1, 1, 32, 32)
    return Context(
        teacher=bench.teacher,
        member=member,
        retrained=lambda: bench.model_dir / "model_fold0.pt",
        cohort=cohort or bench.cohort,
        loaders=bench.loaders(),
        task=bench.task,
        arithmetic=bench.arithmetic,
        sample=sample,
        seed=0,
    )


def one_fold(cohort: Any, fold: int) -> Any:
    return replace(cohort, forget=tuple(record for record in cohort.forget if cohort.fold_of(record) == fold))


def test_every_name_is_a_method_with_a_recipe() -> None:
    for name in NAMES:
        task = "classification" if method_class(name).only_classes else "segmentation"
        found = method_class(name)(**ABOUT | {"task": task}, given={})
        assert found.name == name and found.recipe.goal == "unlearn" and found.phases[0] == "forget"
    with pytest.raises(InputError, match="method: 'untrain' is not one of erase_to_retain, fold_start"):
        method_class("untrain")


@pytest.mark.parametrize("trainable", ["adapter", "all"])
def test_erase_to_retain_starts_as_the_teacher(bench, trainable: str) -> None:
    student = method("erase_to_retain", trainable=trainable).student(context(bench))
    image = torch.rand(2, 1, 32, 32)
    assert torch.equal(student.network(image), bench.teacher(image))
    assert student.kind == {"adapter": "adapter", "all": "network"}[trainable]


def test_fold_start_starts_as_the_member_that_never_saw_the_patients(bench) -> None:
    cohort = one_fold(bench.cohort, 1)
    found = method("fold_start")
    student = found.student(context(bench, cohort))
    image = torch.rand(2, 1, 32, 32)
    member = context(bench).member(1)
    assert torch.equal(student.network(image), member(image))
    assert found.looked_at(cohort) == ()


def test_a_classifier_takes_smaller_steps() -> None:
    rates = [method("fold_start", task=task).recipe.learning_rate for task in ("segmentation", "classification")]
    assert rates == [5e-4, 1e-4]


def test_over_several_folds_it_starts_at_the_cleanest_and_looks_at_the_rest(bench) -> None:
    first, second = one_fold(bench.cohort, 0).forget, one_fold(bench.cohort, 1).forget
    cohort = replace(bench.cohort, forget=(*first[:1], *second))
    assert start_fold(cohort) == 1
    assert method("fold_start").looked_at(cohort) == first[:1]
    with pytest.raises(InputError, match="exact: true needs one fold teacher that saw none of the patients"):
        method("fold_start", exact=True).check(cohort)


def test_patients_in_no_fold_are_refused(bench) -> None:
    cohort = replace(bench.cohort, folds={})
    with pytest.raises(InputError, match="needs fold teachers, and the patients to forget are in no fold"):
        method("fold_start").check(cohort)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"goal": "suppress"}, "method: 'fold_start' is for goal: unlearn, not suppress"),
        ({"schedule": "released"}, "method: 'fold_start' has no schedule: released"),
        ({"reference": "none"}, "reference: none leaves none"),
        ({"trainable": "adapter"}, "trains all weights; trainable: adapter is for erase_to_retain"),
        ({"lora_rank": 8}, "lora_rank: 8 has no effect with trainable: all"),
    ],
)
def test_what_fold_start_does_not_take(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        method("fold_start", **settings)


def test_exact_learns_from_labels_alone() -> None:
    recipe = method("fold_start", exact=True, hard_share=0.5, guard_batch=4).recipe
    assert (recipe.retain_objective, recipe.hard_share, recipe.guard_batch) == ("supervised", 0.0, 0)
    with pytest.raises(InputError, match="exact: true is not possible with method: erase_to_retain"):
        method("erase_to_retain", exact=True)


def test_labels_do_not_look_at_the_teacher() -> None:
    logits, label = torch.randn(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
    loss = Labels(task="segmentation")
    assert loss(logits, torch.randn(2, 1, 8, 8), label) == loss(logits, torch.full((2, 1, 8, 8), torch.nan), label)
    with pytest.raises(InputError, match="needs labels, which guard images have none of"):
        loss(logits, logits)


def test_what_was_calibrated_stands_below_what_a_config_says() -> None:
    calibrated = {"trainable": "all", "retain_batch": 24, "forget_learning_rate": 7e-4}
    found = build_method("erase_to_retain", ABOUT | {"retain_batch": 5}, calibrated=calibrated).recipe
    assert (found.trainable, found.retain_batch, found.learning_rate) == ("all", 5, 7e-4)


def test_a_recipe_of_the_other_kind_of_student_is_left_out() -> None:
    adapter = {"trainable": "adapter", "scope": "all", "lora_rank": 16, "retain_batch": 24}
    found = build_method("erase_to_retain", ABOUT | {"trainable": "all"}, calibrated=adapter).recipe
    assert found == build_method("erase_to_retain", ABOUT | {"trainable": "all"}).recipe
    whole = {"trainable": "all", "retain_batch": 24}
    found = build_method("erase_to_retain", ABOUT | {"trainable": "adapter"}, calibrated=whole).recipe
    assert found == build_method("erase_to_retain", ABOUT).recipe
