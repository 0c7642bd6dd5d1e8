"""Preparation on a small pool: a recipe is found, kept, found again from what is there, and used by a request."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.cohort.split_file import RecordedSplit
from scripts.data.datasets import make_dataset
from scripts.errors import InputError, Refused, user_error
from scripts.methods.recipe_file import RecipeFile
from scripts.pool import preparation
from scripts.pool.candidates import Candidate
from scripts.record.lock import lock_folder, unlock_folder
from tests.commands.common import EXACT, FOLDS, ROOT, SMALL, once, read, request_file, run

FEW = {"steps_per_round": 2, "max_rounds": 1, "retain_batch": 4}
CANDIDATES = (
    Candidate("fold_start", {**FEW, "forget_learning_rate": 1e-4}),
    Candidate("fold_start", {**FEW, "forget_learning_rate": 2e-4}),
    Candidate("erase_to_retain", {**FEW, "trainable": "all"}),
    Candidate("erase_to_retain", {**FEW, "trainable": "adapter", "lora_rank": 2}),
)


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    own = {"model_dir": str(folder / "models"), "reference_dir": str(folder / "references")}
    made = {"epochs": 1, "batch_size": 32, "validate_every": 1, "calibration_requests": 2, "near_duplicates": False}
    made |= {"mock_requests": 0}
    return {**SMALL, **EXACT, **own, **made, **changes}


@pytest.fixture(scope="module")
def few() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "candidates", lambda batch: CANDIDATES)
        yield


@pytest.fixture(scope="module")
def prepared(shared: Path, pool: Path, few: None) -> Path:
    folder = shared / "prepared"
    with once(folder) as todo:
        if todo:
            shutil.copytree(pool, folder / "models")
            run("prepare", settings(folder))
    return folder


def made(folder: Path) -> dict[Path, int]:
    found = (folder / "references").rglob("*.pt")
    return {path: path.stat().st_mtime_ns for path in found if "checkpoints" not in path.parts}


def test_the_recipe_says_what_was_tried_and_names_nobody(prepared: Path) -> None:
    found = RecipeFile.read(prepared / "models")
    assert found is not None and set(found.preference) == {"fold_start", "erase_to_retain"}
    assert len(found.trials) == len(CANDIDATES)
    # Both of each method went on to the second mock request.
    assert [len(trial["mock_requests"]) for trial in found.trials] == [2] * len(CANDIDATES)
    text = (prepared / "models" / "recipe.json").read_text()
    assert not any(f"p{number:03d}" in text for number in range(40))
    assert found.calibrated_on
    assert (prepared / "references").stat().st_mode & 0o777 == 0o700
    assert len(json.loads((prepared / "models" / "answers.json").read_text())["scores"]) == 1 + FOLDS


def test_again_it_makes_nothing(prepared: Path, few: None, capsys: pytest.CaptureFixture[str]) -> None:
    before, text = made(prepared), (prepared / "models" / "recipe.json").read_text()
    run("prepare", settings(prepared))
    assert "the recipe is there" in capsys.readouterr().out
    (prepared / "models" / "recipe.json").unlink()
    run("prepare", settings(prepared))
    assert made(prepared) == before
    assert json.loads((prepared / "models" / "recipe.json").read_text()) == json.loads(text)


def test_a_fold_teacher_that_is_missing_is_trained_by_the_recorded_folds(
    prepared: Path, few: None, tmp_path: Path
) -> None:
    shutil.copytree(prepared / "models", tmp_path / "models")
    for path in (tmp_path / "models").glob("model_fold1*"):
        path.unlink()
    own = settings(tmp_path, reference_dir=str(prepared / "references"))
    del own["folds"]
    run("prepare", own)
    record = json.loads((tmp_path / "models" / "model_fold1.json").read_text())
    assert (record["fold"], record["split"]["folds"]) == (1, FOLDS)


def test_found_anew_beside_an_old_recipe_it_makes_the_same_students(prepared: Path, few: None, tmp_path: Path) -> None:
    shutil.copytree(prepared / "models", tmp_path / "models")
    shutil.copytree(prepared / "references", tmp_path / "references")
    path = tmp_path / "models" / "recipe.json"
    content = json.loads(path.read_text())
    content["settings"] = {name: {"retain_batch": 7, "forget_weight": 3.0} for name in content["settings"]}
    path.write_text(json.dumps(content))
    before = made(tmp_path)
    run("prepare", settings(tmp_path, recalibrate=True))
    assert made(tmp_path) == before
    found = RecipeFile.read(tmp_path / "models")
    assert found is not None and found.settings["fold_start"]["retain_batch"] == FEW["retain_batch"]


def test_a_request_takes_the_preferred_method_and_opens_no_image_of_the_patients(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(prepared / "models", tmp_path / "models")
    path = tmp_path / "models" / "recipe.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "preference": ["fold_start", "erase_to_retain"]}))
    request = request_file(tmp_path / "request.csv", ["p007"])
    opened: list[str] = []

    def noted(records: Any, *args: Any, **given: Any) -> Any:
        data = make_dataset(records, *args, **given)
        opened.extend(record["patient_id"] for record in records)
        return data

    monkeypatch.setattr("scripts.cohort.loaders.make_dataset", noted)
    own = {**SMALL, **EXACT, "model_dir": str(tmp_path / "models"), "request": str(request), "near_duplicates": False}
    run("forget", {**own, "output_dir": str(tmp_path / "run")})
    assert "method: fold_start: on 2 mock requests" in capsys.readouterr().out
    state = read(tmp_path / "run" / "private" / "state.json")
    assert (state["method"], state["phases"]) == ("fold_start", ["forget"])
    assert opened and "p007" not in opened and "p019" in opened
    member = torch.load(tmp_path / "models" / f"model_fold{fold_of(tmp_path, 'p007')}.pt")
    student = torch.load(tmp_path / "run" / "release" / "student.pt")
    assert student.keys() == member.keys()
    # Two steps of at most 2e-4: it is still near the member that it started from.
    assert max(float((student[name].float() - member[name].float()).abs().max()) for name in member) < 1e-3
    about = {**SMALL, **EXACT, "model_dir": own["model_dir"], "request": own["request"]}
    with pytest.raises(Exception) as caught:
        run("restore", {**about, "output_dir": str(tmp_path / "run")})
    error = user_error(caught.value)
    assert isinstance(error, InputError) and "was made by fold_start, which ends with forget" in str(error)


def fold_of(folder: Path, patient: str) -> int:
    """The fold of a patient in the recorded split."""
    split = RecordedSplit.read(folder / "models" / "split.json")
    assert split is not None
    return split.fold[split.digest(patient)]


@pytest.mark.parametrize("place", ["references", "models/private"])
def test_two_at_once_are_refused_and_nothing_is_lost(prepared: Path, few: None, tmp_path: Path, place: str) -> None:
    shutil.copytree(prepared / "models", tmp_path / "models")
    other = tmp_path / place
    other.mkdir(mode=0o700, exist_ok=True)
    code = (
        "import fcntl, os, sys, time; lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(lock, 2);"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(other / ".lock")]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(Exception) as caught:
            run("prepare", settings(tmp_path))
        refused = user_error(caught.value)
        assert isinstance(refused, Refused)
        assert ("fold_dir" if "private" in place else "reference_dir") in str(refused)
        assert not (tmp_path / "references" / ".lock").exists() or place == "references"
    finally:
        holder.kill()
        holder.wait()
    lock_folder(other)
    unlock_folder(other)


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from scripts.pool import preparation
from tests.commands import test_prepare
from tests.commands.common import run
preparation.candidates = lambda batch: test_prepare.CANDIDATES
run("prepare", json.loads(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_in_a_trial_it_goes_on_as_if_nothing_had_happened(prepared: Path, few: None, tmp_path: Path) -> None:
    shutil.copytree(prepared / "models", tmp_path / "models")
    (tmp_path / "models" / "recipe.json").unlink()
    own = settings(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(ROOT), json.dumps(own)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mocks = tmp_path / "references" / "mock"
    try:
        deadline = time.monotonic() + 300
        while len(list(mocks.glob("*/done.json"))) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "models" / "recipe.json").exists()
    before = made(tmp_path)
    run("prepare", own)
    found, whole = RecipeFile.read(tmp_path / "models"), RecipeFile.read(prepared / "models")
    assert found is not None and whole is not None
    assert {path: time for path, time in made(tmp_path).items() if path in before} == before
    assert [figures(trial) for trial in sorted(found.trials, key=str)] == [
        figures(trial) for trial in sorted(whole.trials, key=str)
    ]


def figures(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured, but for the time that it took."""
    mocks = [{**one, "seconds": None} for one in trial["mock_requests"]]
    return {**trial, "cpu_seconds": None, "mock_requests": mocks}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model_name": "absent.pt"}, "absent.pt: no such checkpoint"),
        ({"folds": 0}, "folds: 0: fold teachers are needed"),
        ({"reference_seed": 0}, "reference_seed: 0 is the seed of"),
        ({"calibration_requests": 3}, "calibration_requests: 3: there are patients in 2 folds only"),
    ],
)
def test_what_cannot_be_prepared_is_refused(prepared: Path, few: None, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Exception) as caught:
        run("prepare", settings(prepared, **changes, **{"recalibrate": True}))
    error = user_error(caught.value)
    assert error is not None and text in str(error)
