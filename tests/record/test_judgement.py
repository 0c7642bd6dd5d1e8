"""From the scores of a pool to a verdict on disk and an exit code."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError, Refused
from scripts.record.scored import request_scores
from scripts.settings.groups.references import ATTACKS
from tests.record.judged import Run, passing_pool, pool_of, recovered
from tests.verify.simulated import simulated


@pytest.fixture(scope="module")
def passing() -> dict[str, Any]:
    return passing_pool()


def test_a_pass_is_written_and_ends_well(tmp_path: Path, passing: dict[str, Any], capsys) -> None:
    run = Run(tmp_path, passing)
    code, verdict = run.judge()
    assert code == 0 and verdict["outcome"] == "PASS" and verdict["exit_code"] == 0
    assert all(check["met"] for check in verdict["checks"])
    assert {"dice on validation", "false_negative_rate on validation", "made alike", "pattern"} <= {
        check["name"] for check in verdict["checks"]
    }
    recovery = verdict["evidence"]["recovery"]
    assert recovery.keys() == set(ATTACKS) and recovery["int8"]["bound"] < 0.3
    assert run.folder.read_state()["verdict"] == "PASS"
    printed = capsys.readouterr().out
    for path in run.folder.release.rglob("*"):
        assert b"secret" not in path.read_bytes() and b"image-" not in path.read_bytes()
    assert "secret" not in printed and "PASS: no detectable difference" in printed


@pytest.mark.parametrize(("kept", "outcome"), [(1.0, "FAIL-under"), (-1.0, "FAIL-over")])
def test_a_failure_has_its_exit_code(tmp_path: Path, kept: float, outcome: str) -> None:
    code, verdict = Run(tmp_path, pool_of(simulated(seed=2, kept=kept))).judge()
    assert code == 3 and verdict["outcome"] == outcome


def test_no_influence_has_its_own(tmp_path: Path) -> None:
    code, verdict = Run(tmp_path, pool_of(simulated(seed=1, gap=0.0, effect=50.0))).judge()
    assert code == 5 and verdict["outcome"] == "NO-MEASURABLE-INFLUENCE"


def test_harm_to_others_is_no_pass(tmp_path: Path, passing: dict[str, Any]) -> None:
    worse = copy.deepcopy(passing)
    for model in worse["models"]["unlearned"]:
        model["values"]["validation"]["dice"] = [value - 0.05 for value in model["values"]["validation"]["dice"]]
    code, verdict = Run(tmp_path, worse).judge()
    assert code == 4 and "dice on validation" in verdict["reason"]


def damaged(pool: dict[str, Any], how: str) -> dict[str, Any]:
    pool = copy.deepcopy(pool)
    models = pool["models"]
    if how == "nan":
        models["retrained"][2]["values"]["forget"]["score"][5] = None
    elif how == "missing reference":
        models["retrained"].pop()
    elif how == "three pairs":
        pool["models"] = {kind: found[:3] for kind, found in models.items()}
    elif how == "no held-out images":
        del pool["sets"]["validation"]
    elif how == "measure lost":
        del models["retrained"][0]["values"]["validation"]["dice"]
    elif how == "exchanged":
        models["original"], models["retrained"] = models["retrained"], models["original"]
    return pool


@pytest.mark.parametrize(
    "how", ["nan", "missing reference", "three pairs", "no held-out images", "measure lost", "exchanged"]
)
def test_whatever_is_lacking_is_never_a_pass(tmp_path: Path, passing: dict[str, Any], how: str) -> None:
    code, verdict = Run(tmp_path, damaged(passing, how)).judge()
    assert verdict["outcome"] != "PASS" and code == verdict["exit_code"] != 0
    if how != "exchanged":
        assert code == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"epochs": 60}, "epochs 60, the references with 30"), ({"seed": 1003}, "has the seed of a reference")],
)
def test_a_teacher_made_otherwise_is_inconclusive(tmp_path: Path, passing, changes, reason: str) -> None:
    run = Run(tmp_path, passing)
    run.record(changes)
    code, verdict = run.judge()
    assert code == 4 and reason in verdict["reason"]


def test_a_student_of_another_recipe_is_inconclusive(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    run.unlearned(steps=40)
    code, verdict = run.judge()
    assert code == 4 and "unlearned with other settings" in verdict["reason"]
    run.teacher.with_suffix(".json").unlink()
    assert "no record of the teacher's training" in run.judge()[1]["reason"]


def test_errors_name_the_file(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    run.folder.student.write_bytes(b"another student")
    with pytest.raises(InputError, match="student.pt: is not the model that was scored"):
        run.judge()
    (run.folder.private / "scores.json").write_text("{")
    with pytest.raises(InputError, match="scores.json: not readable"):
        run.judge()
    (run.folder.private / "scores.json").unlink()
    with pytest.raises(InputError, match="no scores; run references first"):
        run.judge()
    run.folder.note(goal="suppress")
    with pytest.raises(InputError, match="goal: 'suppress': a verdict compares"):
        run.judge()
    run.folder.note(state="reverted")
    with pytest.raises(Refused, match="was reverted"):
        run.judge()
    assert not run.folder.verdict.exists()


def test_what_comes_back_under_an_attack_is_no_pass(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    back = copy.deepcopy(passing)
    back["recovery"]["int4"] = recovered(request_scores(passing), kind="original")
    run.write(back)
    code, verdict = run.judge()
    assert code == 4 and "recovery: part of the gap" in verdict["reason"] and "int4 +1.0" in verdict["reason"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recovery": {}}, "int8, int4, pruned, batch_norm, fine_tuned, new_head, linear_probe not tried"),
        ({"recovery_steps": 1}, "1 steps of 20"),
    ],
)
def test_less_than_the_whole_family_is_no_pass(
    tmp_path: Path, passing: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    code, verdict = Run(tmp_path, {**passing, **changes}).judge()
    assert code == 4 and f"recovery: {told}: a PASS needs the whole family" in verdict["reason"]


def test_one_attack_of_the_family_is_no_pass(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, {**passing, "recovery": {"int8": passing["recovery"]["int8"]}})
    checks = {check["name"]: check for check in run.judge()[1]["checks"]}
    assert checks["recovery"]["met"] is None


def test_healthy_patients_are_counted_and_end_no_verdict(tmp_path: Path, passing: dict[str, Any]) -> None:
    """Without structure no rate of missed structure is defined, under any model."""
    healthy = copy.deepcopy(passing)
    models = [healthy["delivered"], *(one["values"] for found in healthy["models"].values() for one in found)]
    for values in models:
        values["validation"]["false_negative_rate"][4] = None
    code, verdict = Run(tmp_path, healthy).judge()
    checks = {check["name"]: check for check in verdict["checks"]}
    assert code == 0 and checks["false_negative_rate on validation"]["met"]
    assert "undefined for 1 of 30 patients" in checks["false_negative_rate on validation"]["detail"]
    healthy["models"]["retrained"][0]["values"]["validation"]["false_negative_rate"][4] = 0.1
    code, verdict = Run(tmp_path / "failed", healthy).judge()
    assert code == 4 and "a patient has no value under some of the models" in verdict["reason"]
