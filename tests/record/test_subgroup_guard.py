"""Groups of held-out patients: who counts, who is hidden, and that harm to one group is no PASS."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.record.subgroup_guard import measured_subgroups, subgroup_check
from scripts.references.scoring import age_years, groups
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


@pytest.mark.parametrize(
    ("age", "years"),
    [("045Y", 45), ("018M", 1.5), ("7D", 7 / 365.25), ("52W", 52 * 7 / 365.25), (60, 60), (" 33.5 ", 33.5), ("0", 0)]
    + [(value, None) for value in ("old", "", "-1", "1e9", "nan", "inf", "45 years", True, [45], {})],
)
def test_ages(age: Any, years: float | None) -> None:
    assert age_years(age) == (None if years is None else pytest.approx(years))


def test_ages_that_are_not_understood_are_counted(capsys) -> None:
    assert groups([{"age": "045Y"}, {"age": "old"}, {"age": ""}, {}]) == {"age": ["40 to 59", "", "", ""]}
    assert "the age of 1 images is not understood" in capsys.readouterr().out


def test_free_text_is_numbered_and_spellings_are_one_group(tmp_path: Path) -> None:
    pool = grouped()
    texts = ["ward of Dr. Example"] * 6 + ["Another Ward"] * 6 + ["unknown"] * 6 + ["Arm"] * 6 + ["ARM"] * 6
    pool["sets"]["validation"]["groups"] = {"sex": ["F", "female", "M"] * 10, "site": texts}
    pool["sets"]["forget"]["groups"] = {"site": ["A ward that is first by name"] * 16}
    run = Run(tmp_path, pool)
    _, verdict = run.judge()
    rows = {(row["attribute"], row["group"]): row["patients"] for row in verdict["evidence"]["subgroups"]}
    assert rows == {
        ("sex", "female"): 20,
        ("sex", "male"): 10,
        ("site", "2"): 6,
        ("site", "3"): 6,
        ("site", "arm"): 12,
    }
    key = json.loads((run.folder.private / "groups.json").read_text())
    assert key["site"]["3"] == "ward of Dr. Example" and key.keys() == {"site"}
    assert b"ward" not in run.folder.verdict.read_bytes().lower()


@pytest.mark.parametrize(
    "groups_",
    [5, [], {"site": 5}, {"site": [["x"]] * 30}, {"Dr. Example": ["x"] * 30}, {"site": ["Dr. Example"]}, {"sex": None}],
)
def test_groups_of_another_form_give_no_name_away(tmp_path: Path, groups_: Any) -> None:
    pool = grouped()
    pool["sets"]["validation"]["groups"] = groups_
    run = Run(tmp_path, pool)
    try:
        code, _ = run.judge()
        assert code == 4 or not groups_
    except InputError as error:
        assert "private/scores.json" in str(error)
    assert not run.folder.verdict.exists() or b"Example" not in run.folder.verdict.read_bytes()


def test_a_value_of_the_scores_is_not_quoted(tmp_path: Path) -> None:
    pool = passing_pool()
    pool["delivered"]["forget"]["score"][0] = "ward of Dr. Example"
    run = Run(tmp_path, pool)
    code, verdict = run.judge()
    assert code == 4 and "Example" not in json.dumps(verdict) and "holds one of a wrong type" in verdict["reason"]


def test_of_no_measure() -> None:
    assert measured_subgroups(grouped(), key_metric="accuracy", margin=0.02) == []
