"""A verdict is what the scores give, or it is refused: by hand nothing can be written that stands at the gate."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.errors import InputError, Refused
from scripts.files import write_json
from scripts.record.bound import bound_verdict, verdict_errors
from tests.record.judged import Run, passing_pool, pool_of
from tests.verify.simulated import simulated

ODD = [None, True, 5, 1.5, "text", [], {}, [[1]], {"outcome": "PASS"}, "PASS"]


@pytest.fixture(scope="module")
def passing() -> dict[str, Any]:
    return passing_pool()


@pytest.fixture
def judged(tmp_path: Path, passing: dict[str, Any]) -> Run:
    run = Run(tmp_path, passing)
    run.judge()
    return run


def refused(run: Run, message: str) -> None:
    with pytest.raises(Refused, match=message) as error:
        bound_verdict(run.folder, run.teacher)
    assert "verdict.json: " in str(error.value) and "run references and verify again" in str(error.value)


def note(run: Run) -> None:
    """What somebody could write by hand: the digest of the verdict as it is, into the run's state."""
    digest = hashlib.sha256(run.folder.verdict.read_bytes()).hexdigest()
    run.folder.note(verdict="PASS", verdict_digest=digest)


def change(run: Run, changes: dict[str, Any]) -> None:
    write_json(run.folder.verdict, {**json.loads(run.folder.verdict.read_text()), **changes})


def test_a_verdict_of_verify_is_bound(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    assert bound_verdict(run.folder, run.teacher) is None
    _, verdict = run.judge()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert bound_verdict(run.folder, run.teacher) == verdict and verdict["version"] == "2"
    scores = run.folder.private / "scores.json"
    assert verdict["computed_from"]["private/scores.json"] == hashlib.sha256(scores.read_bytes()).hexdigest()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("truth", [{"kept": 1.0}, {"kept": -1.0}, {"gap": 0.0, "effect": 50.0}])
def test_every_outcome_is_bound(tmp_path: Path, truth: dict[str, float]) -> None:
    run = Run(tmp_path, pool_of(simulated(seed=1, **truth)))
    _, verdict = run.judge()
    assert bound_verdict(run.folder, run.teacher) == verdict


def test_a_verdict_written_by_hand_is_refused(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    files = {"delivered": run.folder.student, "teacher": run.teacher}
    models = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    forged = {"outcome": "PASS", "wording": "No detectable difference.", "not_tested": [], "models": models}
    write_json(run.folder.verdict, forged)
    refused(run, "was not written by this version of verify")
    note(run)
    refused(run, "was not written by this version of verify")


@pytest.mark.parametrize("noted", [False, True])
def test_a_failure_that_was_made_a_pass_is_refused(tmp_path: Path, noted: bool, passing: dict[str, Any]) -> None:
    """Also where the whole text of another run's PASS was put there, and the state noted it."""
    (tmp_path / "other").mkdir()
    _, better = Run(tmp_path / "other", passing).judge()
    run = Run(tmp_path, pool_of(simulated(seed=2, kept=1.0)))
    run.judge()
    for changes in ({"outcome": "PASS"}, better, {**better, "computed_from": _read(run)["computed_from"]}):
        change(run, changes)
        if noted:
            note(run)
        refused(run, "verdict" if noted else "is not the one that the run's record names")
        run.judge()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run.folder.private / "scores.json").unlink(), "scores.json: no scores"),
        (lambda run: (run.folder.private / "scores.json").write_text("{}"), "names no models"),
        (lambda run: (run.folder.private / "scores.json").write_text("[" * 9999), "scores.json: not readable"),
        (lambda run: run.write({**passing_pool(), "budget": 13}), "computed from other files"),
        (lambda run: run.folder.student.write_bytes(b"other"), "the verdict is of another model"),
        (lambda run: run.teacher.write_bytes(b"other"), "the verdict is of another model"),
        (lambda run: run.record({"epochs": 60}), "computed from other files"),
        (lambda run: run.teacher.with_suffix(".json").write_text("5"), "model.json: not readable"),
        (lambda run: run.unlearned(steps=1), "is not what the scores give"),
        (lambda run: run.folder.note(goal="suppress"), "goal: 'suppress'"),
        (lambda run: run.folder.note(verdict_digest=None), "not the one that the run's record names"),
        (lambda run: run.folder.student.unlink(), "cannot be read"),
    ],
)
def test_evidence_that_is_other_or_lacking_is_refused(
    tmp_path: Path, passing: dict[str, Any], spoil: Callable[[Run], Any], message: str
) -> None:
    run = Run(tmp_path, passing)
    run.judge()
    spoil(run)
    refused(run, message)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "garbage", "empty", "deep"])
def test_a_verdict_that_is_no_file_is_refused(tmp_path: Path, passing: dict[str, Any], kind: str) -> None:
    run = Run(tmp_path, passing)
    run.judge()
    path = run.folder.verdict
    content = path.read_bytes()
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere.json").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere.json")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes({"garbage": b"\xff\xfe", "empty": b"", "deep": b"[" * 100_000}[kind])
    refused(run, "verdict.json: is |verdict.json: cannot")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_entry_can_be_changed(judged: Run, tmp_path: Path, data) -> None:
    """Any entry replaced by another value, at any depth, and noted in the state by hand: refused, no exception."""
    run, verdict = judged, tmp_path / "kept.json"
    if not verdict.exists():
        verdict.write_bytes(run.folder.verdict.read_bytes())
    content = json.loads(verdict.read_text())
    # Another relevant gap may be named: the verdict is then computed again with that one.
    place, name = content, data.draw(st.sampled_from(sorted(set(content) - {"relevant_gap", "clinical_margin"})))
    while isinstance(place[name], dict | list) and place[name] and data.draw(st.booleans()):
        place = place[name]
        name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    before = copy.deepcopy(place[name])
    place[name] = data.draw(st.sampled_from(ODD))
    write_json(run.folder.verdict, content)
    note(run)
    same = type(before) is type(place[name]) and before == place[name]
    assert bool(verdict_errors(folder=run.folder, teacher=run.teacher)) is not same


def test_a_teacher_may_be_a_link_of_the_hospitals_own(tmp_path: Path, passing: dict[str, Any]) -> None:
    run = Run(tmp_path, passing)
    for path in (run.teacher, run.teacher.with_suffix(".json")):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    code, verdict = run.judge()
    assert code == 0 and bound_verdict(run.folder, run.teacher) == verdict


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_scores_of_odd_types_are_an_error_or_no_pass(judged: Run, tmp_path: Path, data) -> None:
    """Any entry of the scores replaced by a value of another type: one line of error, or a verdict that says why."""
    kept = tmp_path / "scores.json"
    if not kept.exists():
        kept.write_bytes((judged.folder.private / "scores.json").read_bytes())
    content = json.loads(kept.read_text())
    place, name = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(place[name], dict | list) and place[name] and data.draw(st.integers(0, 3)):
        place = place[name]
        name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[name] = data.draw(st.sampled_from(["ward of Dr. Example", {"Dr. Example": ["Dr. Example"]}, [["x"]], None]))
    write_json(judged.folder.private / "scores.json", content)
    try:
        code, verdict = judged.judge()
    except (InputError, Refused) as error:
        assert any(told in str(error) for told in (".json: ", "is not the model", "holds no plan of the scores"))
        return
    assert code in (0, 3, 4, 5) and "Example" not in json.dumps(verdict)


def test_scores_of_no_known_kind_are_refused(judged: Run) -> None:
    """What stands there would be copied into the verdict."""
    path = judged.folder.private / "scores.json"
    write_json(path, {**json.loads(path.read_text()), "evidence": "ward of Dr. Example"})
    with pytest.raises(InputError, match="names no kind of evidence"):
        judged.judge()


def _read(run: Run) -> dict[str, Any]:
    return json.loads(run.folder.verdict.read_text())
