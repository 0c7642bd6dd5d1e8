"""Fold models that were brought along: whom each lacks, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import RecordedSplit
from scripts.errors import InputError
from scripts.foreign.fold_models import folds_of, read_fold_lists
from scripts.workspace.workspace import Workspace, settings_of
from tests.foreign.conftest import PATTERN

LISTS = [{"train": [], "val": ["case_000_0", "case_000_1", "case_002"]}, {"train": [], "val": ["case_001", "case_003"]}]


def lists(folder: Path, content: Any = LISTS) -> Path:
    path = folder / "splits_final.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def records(*names: str) -> list[dict[str, Any]]:
    return [{"image": f"/data/{name}.nii.gz", "patient_id": name[5:8]} for name in names]


def test_names_with_and_without_a_channel(tmp_path: Path) -> None:
    known = read_fold_lists(lists(tmp_path))
    found = folds_of(records("case_000_0", "case_000_1", "case_002_0000", "case_001_0"), known, where="lists")
    assert found == {"000": 0, "002": 0, "001": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "must hold a list"),
        ([{"val": []}], "at least 2 objects"),
        ([{"val": []}, {"train": []}], "'train' and 'val'"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_fold_lists(lists(tmp_path, content))


def test_images_of_no_fold_and_patients_of_two(tmp_path: Path) -> None:
    known = [frozenset({"case_000_0"}), frozenset({"case_000_1"})]
    with pytest.raises(InputError, match="1 patients have images in two folds"):
        folds_of(records("case_000_0", "case_000_1"), known, where="lists")
    with pytest.raises(InputError, match="1 training images stand in no or several folds: case_009_0"):
        folds_of(records("case_009_0"), known, where="lists")


def cases(*patients: int) -> list[str]:
    return [f"case_{patient:03d}_{view}" for patient in patients for view in range(2)]


def workspace(theirs: Any, tmp_path: Path, **changed: Any) -> Workspace:
    torch.save(theirs.bundle().network().state_dict(), tmp_path / "fold.pt")
    values = {
        **{"dataset_name": "foreign", "foreign": str(theirs.folder), "trust_foreign": theirs.digest},
        **{"dataset_dir": str(theirs.data), "patient_from": PATTERN, "device": "cpu", "cache": "none"},
        **{"model_dir": str(tmp_path / "models"), "fold_models": [str(tmp_path / "fold.pt")] * 2},
        "fold_lists": str(lists(tmp_path, [{"val": cases(0, 2)}, {"val": cases(1, 3)}])),
    }
    return Workspace(workflow="prepare", settings=settings_of({**values, **changed}, "prepare"))


def test_they_are_taken_with_the_folds_that_they_state(theirs: Any, tmp_path: Path) -> None:
    workspace(theirs, tmp_path).begin()
    split = RecordedSplit.read(tmp_path / "models" / "split.json")
    assert split is not None
    assert [split.fold[split.digest(patient)] for patient in ("000", "001", "002", "003")] == [0, 1, 0, 1]
    for fold, (lacked, known) in enumerate([("000", "001"), ("001", "000")]):
        record = ModelRecord.read(tmp_path / "models" / f"model_fold{fold}.pt")
        assert record is not None
        assert record.membership is not None
        assert record.fold == fold
        assert record.training["stated"] is True
        assert record.membership.saw(known)
        assert not record.membership.saw(lacked)
    # A second command finds all of it there, and goes on from the split.
    again = workspace(theirs, tmp_path)
    again.begin()
    assert again.folds == 2


def test_as_many_models_as_folds(theirs: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fold_models: 1 models for 2 folds"):
        workspace(theirs, tmp_path, fold_models=[str(tmp_path / "fold.pt")]).begin()
    assert not (tmp_path / "models" / "model.pt").exists()
