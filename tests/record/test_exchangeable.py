"""Whether a teacher was made as the models that judge it were, told on the terminal and in a release."""

from __future__ import annotations

from typing import Any

import pytest
from scripts.record.exchangeable import alike_problem, made_alike
from tests.record.judged import TRAINING


def record(**changes: Any) -> dict[str, Any]:
    """The record beside a teacher, with other settings of its training."""
    return {**TRAINING, "training": {**TRAINING["training"], "seed": 7, "select": "last", **changes}}


OTHERS = record(seed=1000)


def check(own: dict[str, Any], **changes: Any) -> Any:
    return made_alike(**{"own": own, "others": OTHERS, "seeds": [1000], "recipe": "r", "recipes": ["r"], **changes})


def test_the_same_training_with_a_seed_of_its_own() -> None:
    assert check(record()).met and alike_problem(record(), OTHERS) is None
    assert not check(record(seed=1000)).met and not check(record(), recipes=["r", "s"]).met
    assert not check({}).met and not check(record(), others={}).met


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (record(select="best"), "select: the teacher was trained with 'best', the references with 'last'"),
        (record(epochs=31), "epochs: the teacher was trained with 31, the references with 30"),
        (record(patience=3), "patience: the teacher was trained with 3, the references with None"),
        ({**record(), "data_set": "isic"}, "data_set: the teacher was trained with 'isic'"),
        ({**record(), "split": {**TRAINING["split"], "seed": 1}}, "split_seed: the teacher was trained with 1"),
    ],
)
def test_the_setting_that_differs_is_named(own: dict[str, Any], told: str) -> None:
    assert (alike_problem(own, OTHERS) or "").startswith(told) and not check(own).met


def test_texts_of_a_setting_are_not_published() -> None:
    found = check(record(dataset_name="ward of Dr. Example", select="best"))
    assert found.detail == "the teacher was trained with another dataset_name than the references"
    found = check(record(**{"Dr. Example": 1}))  # a name that is none of ours is such a text too
    assert not found.met and found.detail == "the teacher was trained with other settings than the references"
    assert check(record(epochs=60)).detail == "the teacher was trained with epochs 60, the references with 30"


def test_a_setting_that_is_younger_than_the_teacher_has_its_default() -> None:
    """Records from before there were patches do not name them."""
    assert alike_problem(record(), record(patch_overlap=0.25, patch_size=None)) is None
    assert "patch_overlap" in (alike_problem(record(), record(patch_overlap=0.5)) or "")
