"""Groups of held-out patients: who counts, who is hidden, and that harm to one group is no PASS."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from scripts.record.subgroup_guard import measured_subgroups, subgroup_check
from scripts.references.scoring import groups
from tests.record.judged import Run, passing_pool

LOSS = {"key_metric": "dice", "margin": 0.02}
SEX = ["female"] * 20 + ["male"] * 6 + ["other"] * 4


def grouped(*, change: float = 0.0) -> dict[str, Any]:
    """A pool that passes; the unlearned models' Dice of male patients is changed."""
    pool = copy.deepcopy(passing_pool())
    pool["sets"]["validation"]["groups"] = {"sex": SEX}
    for model in pool["models"]["unlearned"]:
        dice = model["values"]["validation"]["dice"]
        model["values"]["validation"]["dice"] = [
            value + change * (sex == "male") for value, sex in zip(dice, SEX, strict=True)
        ]
    return pool


def test_groups_of_five_patients_count() -> None:
    found = measured_subgroups(grouped(), **LOSS)
    assert {(one.attribute, one.group, one.patients) for one in found} == {("sex", "female", 20), ("sex", "male", 6)}


def test_harm_to_one_group_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    code, verdict = Run(tmp_path / "whole", grouped()).judge()
    assert code == 0 and verdict["outcome"] == "PASS"
    assert {row["group"] for row in verdict["evidence"]["subgroups"]} == {"female", "male"}
    # A sixth of all patients lose .06: .012 in the mean, which the guard over all patients lets through.
    (tmp_path / "harmed").mkdir()
    code, verdict = Run(tmp_path / "harmed", grouped(change=-0.06)).judge()
    checks = {check["name"]: check for check in verdict["checks"]}
    assert code == 4 and checks["worst subgroup"]["met"] is False
    assert checks["worst subgroup"]["detail"].startswith("sex male, 6 patients: -0.0")


def test_no_groups_no_check(tmp_path: Path) -> None:
    assert measured_subgroups(passing_pool(), **LOSS) == [] and subgroup_check([], margin=0.02) == []


def test_a_patient_without_a_value_is_no_pass(tmp_path: Path) -> None:
    pool = grouped()
    pool["models"]["retrained"][2]["values"]["validation"]["dice"][3] = None
    code, verdict = Run(tmp_path, pool).judge()
    assert code == 4 and "a patient has no value" in verdict["reason"]


def test_groups_of_records() -> None:
    records = [
        {"age": "35.0", "sex": "female", "site": " torso "},
        {"age": 59.9, "sex": None},
        {"age": "60", "diagnosis": "NV"},
        {"age": "old"},
        {"age": float("nan")},
    ]
    assert groups(records) == {
        "sex": ["female", "", "", "", ""],
        "age": ["below 40", "40 to 59", "60 and above", "", ""],
        "site": ["torso", "", "", "", ""],
        "diagnosis": ["", "", "NV", "", ""],
    }
    assert groups([{"image_id": "x"}]) == {}


def test_of_no_measure() -> None:
    assert measured_subgroups(grouped(), key_metric="accuracy", margin=0.02) == []
