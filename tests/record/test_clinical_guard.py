"""The guard by patient: each held-out set alone, together where one is too small for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scripts.record.clinical_guard import clinical_guard, guarded

PATIENTS = {"validation": ["a", "a"], "test": ["b", "b", "c", "c", "d"]}


def pool(*, change: float = 0.0, sets: dict[str, list[str]] = PATIENTS) -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def model(change: float) -> dict[str, Any]:
        return {
            name: {"dice": (0.8 + change + 1e-3 * rng.standard_normal(len(patients))).tolist()}
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
    (check,) = clinical_guard(pool(), key_metric="dice", margin=0.02)
    assert check.name == "dice on validation and test" and check.met
    assert guarded({"validation": {"patients": ["a", "b"]}, "test": {"patients": ["c", "d"]}}) == [
        ("validation",),
        ("test",),
    ]


@pytest.mark.parametrize(("change", "met"), [(-0.03, False), (-0.01, True), (0.03, True)])
def test_a_loss_above_the_margin_is_not_met(change: float, met: bool) -> None:
    (check,) = clinical_guard(pool(change=change), key_metric="dice", margin=0.02)
    assert check.met is met and f"{change:+.3f}" in check.detail


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="no held-out image was measured"):
        clinical_guard(pool(), key_metric="accuracy", margin=0.02)
    with pytest.raises(ValueError, match="4 pairs of 1 patients are too few"):
        clinical_guard(pool(sets={"validation": ["a", "a"]}), key_metric="dice", margin=0.02)
    unmeasured = pool()
    unmeasured["delivered"]["test"]["dice"][4] = None
    with pytest.raises(ValueError, match="a patient has no value"):
        clinical_guard(unmeasured, key_metric="dice", margin=0.02)
