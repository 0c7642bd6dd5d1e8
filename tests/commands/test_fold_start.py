"""`fold_start` by the commands: no file of the patients is opened, and the run can be evaluated and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.commands.common import assert_same_tensors, read, request_file, run
from tests.commands.small_data import NETWORK, PATIENTS, copied_models, opened, run_settings, trained_patients

PREPARING = (*NETWORK, "dataset_name", "datalist", "model_dir")
ADAPTER_ONLY = ("lora_rank", "bisect", "forget_batch")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Data and models of the small run, and a request for one patient, without a run."""
    target = tmp_path / "copy"
    target.mkdir()
    copied_models(whole, target, request=False)
    request_file(target / "request.csv", trained_patients(target / "models")[:1])
    return target


@pytest.mark.parametrize("exact", [False, True])
def test_no_file_of_the_patient_is_opened(folder: Path, exact: bool) -> None:
    patient = trained_patients(folder / "models")[0]
    own = {name: value for name, value in run_settings(folder, "forget").items() if name not in ADAPTER_ONLY}
    own |= {"method": "fold_start", "exact": exact, "near_duplicates": True}
    # By what the files are known, and by what look-alikes are found, is computed once and kept beside the models.
    run("forget", {**own, "output_dir": str(folder / "first")})
    with opened() as paths:
        run("forget", own)
    assert any(other in path for path in paths for other in PATIENTS if other != patient)
    assert not [path for path in paths if patient in path]
    resolutions = [read(folder / name / "private" / "resolution.json") for name in ("first", "run")]
    assert resolutions[0]["near_duplicates"] == resolutions[1]["near_duplicates"] is not None
    assert_same_tensors(folder / "first" / "release" / "student.pt", folder / "run" / "release" / "student.pt")


def test_where_images_lie_prepared_no_image_is_opened_and_nothing_is_changed_by_it(folder: Path) -> None:
    own = {name: value for name, value in run_settings(folder, "forget").items() if name not in ADAPTER_ONLY}
    own |= {"method": "fold_start", "near_duplicates": False}
    run("forget", {**own, "output_dir": str(folder / "first")})
    preparing = {name: value for name, value in run_settings(folder, "train").items() if name in PREPARING}
    Workspace(workflow="prepare", settings=settings_of(preparing, "prepare")).write_images()
    with opened() as paths:
        run("forget", own)
    assert not [path for path in paths if path.endswith(".png")]
    assert_same_tensors(folder / "first" / "release" / "student.pt", folder / "run" / "release" / "student.pt")


def test_of_several_members_it_starts_from_the_best_on_the_selection_set(folder: Path) -> None:
    own = {name: value for name, value in run_settings(folder, "forget").items() if name not in ADAPTER_ONLY}
    own |= {"method": "fold_start", "near_duplicates": False, "forget_learning_rate": 1e-6}
    models = folder / "models"
    workspace = Workspace(workflow="forget", settings=settings_of(own, "forget"))
    (fold,) = {workspace.cohort.fold_of(record) for record in workspace.cohort.forget}
    run("train", {**run_settings(folder, "train"), "fold": fold, "member": 1, "seed": 7}, run_id="single")
    members = [models / f"model_fold{fold}.pt", models / f"model_fold{fold}_1.pt"]
    measured = [workspace.selection_score([path]) for path in members]
    # What preparation has measured goes before what would be measured now.
    noted = sorted(measured, reverse=measured[0] < measured[1])
    for name, scores in (("measured", measured), ("noted", noted)):
        if name == "noted":
            workspace.answers.add({(path,): score for path, score in zip(members, scores, strict=True)})
        run("forget", {**own, "output_dir": str(folder / name)})
        student = torch.load(folder / name / "release" / "student.pt")
        assert nearest(student, members) == scores.index(max(scores))
    assert measured.index(max(measured)) != noted.index(max(noted))


def nearest(student: Mapping[str, torch.Tensor], members: Sequence[Path]) -> int:
    """Which of some models a student is nearest to, by its weights."""
    models = [torch.load(path) for path in members]
    apart = [sum(float((student[name] - model[name]).float().abs().sum()) for name in model) for model in models]
    return apart.index(min(apart))


def test_evaluated_and_taken_back(folder: Path) -> None:
    own = {name: value for name, value in run_settings(folder, "forget").items() if name not in ADAPTER_ONLY}
    run("forget", {**own, "method": "fold_start", "near_duplicates": False})
    run("evaluate", run_settings(folder, "evaluate"))
    metrics = read(folder / "run" / "release" / "metrics.json")
    assert {"teacher", "student"} <= metrics.keys() and "fine_tuned_20" in metrics["recovery"]["student"]
    places = {"model_dir": str(folder / "models"), "request": own["request"], "output_dir": own["output_dir"]}
    run("revert", {**places, "network_name": NETWORK["network_name"]})
    assert_same_tensors(folder / "run" / "release" / "teacher.pt", folder / "models" / "model.pt")
    assert not (folder / "run" / "release" / "student.pt").exists()
