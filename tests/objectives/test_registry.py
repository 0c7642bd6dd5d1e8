"""Names as the config gives them."""

from __future__ import annotations

import pytest
from scripts.errors import InputError
from scripts.objectives.registry import FORGET, RETAIN, build_forget_objective, build_retain_objective

SEGMENTATION, CLASSIFICATION = "segmentation", "classification"
ONE_CONFIG = {"bound": 0.3, "temperature": 3.0, "flip": 0.2, "displacement": 2.0, "loss_bound": 0.7, "seed": 11}


def test_the_targets_that_are_promised():
    assert sorted(FORGET) == [
        "ascent", "background", "contradiction", "critical_label", "entropy", "foreground", "foreground_background",
        "imitation", "matching", "negative", "noisy_label", "random_label",
    ]  # fmt: skip
    assert sorted(RETAIN) == ["distillation", "supervised", "supervised_distillation"]


@pytest.mark.parametrize("name", sorted(FORGET))
def test_one_config_carries_the_settings_of_all(name):
    objective = build_forget_objective(name, FORGET[name].tasks()[0], **ONE_CONFIG)
    assert objective.name == name
    taken = {key: value for key, value in ONE_CONFIG.items() if hasattr(objective, key)}
    assert all(getattr(objective, key) == value for key, value in taken.items())


def test_settings_reach_the_objective_they_belong_to():
    assert build_forget_objective("foreground", CLASSIFICATION, **ONE_CONFIG).bound == 0.3
    assert build_forget_objective("ascent", CLASSIFICATION, **ONE_CONFIG).loss_bound == 0.7
    assert build_retain_objective("distillation", SEGMENTATION, **ONE_CONFIG).temperature == 3.0


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'foreground'"):
        build_forget_objective("forground", SEGMENTATION)
    with pytest.raises(InputError, match="did you mean 'distillation'"):
        build_retain_objective("destillation", SEGMENTATION)
    with pytest.raises(InputError, match="allowed are ascent"):
        build_forget_objective("zzz", SEGMENTATION)


def test_unknown_tasks_are_refused():
    with pytest.raises(InputError, match="'registration'"):
        build_forget_objective("entropy", "registration")
