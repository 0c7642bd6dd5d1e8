"""The guard by patient: each held-out set alone, together where one is too small for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scripts.record.clinical_guard import clinical_guard, guarded
from scripts.tasks import build_task

SEGMENTATION = build_task("segmentation")
PATIENTS = {"validation": ["a", "a"], "test": ["b", "b", "c", "c", "d"]}


def pool(*, change: float = 0.0, measure: str = "dice", sets: dict[str, list[str]] = PATIENTS) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def model(change: float) -> dict[str, Any]:
        return {
            name: {measure: (0.8 + change + 1e-3 * rng.standard_normal(len(patients))).tolist()}
            for name, patients in sets.items()
        }

    return {
        "sets": {name: {"patients": patients} for name, patients in sets.items()},
        "delivered": model(change),
        "models": {
            "unlearned": [{"values": model(change)} for _ in range(4)],
            "retrained": [{"values": model(0.0)} for _ in range(4)],
        },
    }


def test_a_set_of_one_patient_is_read_with_the_other() -> None:
    (check,) = clinical_guard(pool(), task=SEGMENTATION)
    assert check.name == "dice on validation and test" and check.met
    assert guarded({"validation": {"patients": ["a", "b"]}, "test": {"patients": ["c", "d"]}}) == [
        ("validation",),
        ("test",),
    ]


@pytest.mark.parametrize(("change", "met"), [(-0.03, False), (-0.01, True), (0.03, True)])
def test_a_loss_above_the_margin_is_not_met(change: float, met: bool) -> None:
    (check,) = clinical_guard(pool(change=change), task=SEGMENTATION)
    assert check.met is met and f"{change:+.3f}" in check.detail


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="no held-out image was measured"):
        clinical_guard(pool(measure="hd95"), task=SEGMENTATION)
    (check,) = clinical_guard(pool(sets={"validation": ["a", "a"]}), task=SEGMENTATION)
    assert check.met is None and "1 patients have a value, at least 2 are needed" in check.detail
    unmeasured = pool()
    unmeasured["delivered"]["test"]["dice"][4] = None
    with pytest.raises(ValueError, match="dice on validation and test: a patient has no value under some"):
        clinical_guard(unmeasured, task=SEGMENTATION)


@pytest.mark.parametrize(
    ("task", "measure", "change", "met"),
    [
        ("segmentation", "false_negative_rate", 0.03, False),
        ("segmentation", "empty_mask", 0.015, False),
        ("segmentation", "brier", 0.15, True),  # a quarter of .8 is .2
        ("segmentation", "brier", 0.25, False),
        ("classification", "sensitivity_2", -0.04, True),
        ("classification", "sensitivity_2", -0.06, False),
    ],
)
def test_each_measure_has_its_own_margin(task: str, measure: str, change: float, met: bool) -> None:
    (check,) = clinical_guard(pool(change=change, measure=measure), task=build_task(task))
    assert check.met is met and measure in check.name


def test_a_class_that_is_lost_at_equal_accuracy_is_not_met() -> None:
    """Three melanomas of sixty patients: missed, while three nevi more are found."""
    patients = [f"p{number:02d}" for number in range(60)]

    def model(found: int) -> dict[str, Any]:
        right = [1.0] * found + [0.0] * (10 - found) + [1.0] * (50 - (found - 7)) + [0.0] * (found - 7)
        melanoma = [value if number < 10 else None for number, value in enumerate(right)]
        return {"test": {"accuracy": right, "sensitivity_0": melanoma}}

    models = {
        "unlearned": [{"values": model(7)} for _ in range(4)],
        "retrained": [{"values": model(10)} for _ in range(4)],
    }
    found = clinical_guard(
        {"sets": {"test": {"patients": patients}}, "delivered": model(7), "models": models},
        task=build_task("classification"),
    )
    checks = {check.name: check for check in found}
    assert checks["accuracy on test"].detail.startswith("+0.000, bound +0.000")
    assert checks["sensitivity_0 on test"].met is False
    assert "undefined for 50 of 60 patients" in checks["sensitivity_0 on test"].detail
