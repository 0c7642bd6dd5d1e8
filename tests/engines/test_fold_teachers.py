"""Fold teachers for comparison: those of the forget patients' folds, or none with a reason."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.engines.fold_teachers import load_fold_teachers


def load(bench: Any, **settings: Any) -> dict[int, list[torch.nn.Module]]:
    values = {
        "cohort": bench.cohort,
        "network": bench.network(),
        "model_dir": bench.model_dir,
        "arithmetic": bench.arithmetic,
    }
    return load_fold_teachers(**values | settings)


def copied(bench: Any, folder: Path) -> Path:
    for path in bench.model_dir.iterdir():
        shutil.copy(path, folder)
    return folder


def test_the_members_of_each_fold(bench: Any, tmp_path: Path) -> None:
    folder = copied(bench, tmp_path)
    for path in folder.glob("model_fold1.*"):
        shutil.copy(path, path.with_name(path.name.replace("fold1", "fold1_1")))
    found = load(bench, model_dir=folder)
    assert {fold: len(members) for fold, members in found.items()} == {0: 1, 1: 2}
    weights = torch.load(folder / "model_fold1.pt", weights_only=True)
    assert all(torch.equal(value, weights[name]) for name, value in found[1][0].state_dict().items())
    assert not any(parameter.requires_grad for parameter in found[0][0].parameters())


def test_none_where_a_fold_has_none(bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(bench, tmp_path)
    (folder / "model_fold1.pt").unlink()
    assert load(bench, model_dir=folder) == {} and load(bench, model_dir=tmp_path / "empty") == {}
    outside = dataclasses.replace(bench.cohort, folds={})
    assert load(bench, cohort=outside) == {}
    assert capsys.readouterr().out == ""


def test_none_and_the_reason_where_one_saw_a_forget_patient(
    bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(bench, tmp_path)
    for path in folder.glob("model_fold1.*"):
        shutil.copy(path, path.with_name(path.name.replace("fold1", "fold0")))
    assert load(bench, model_dir=folder) == {}
    said = capsys.readouterr().out
    assert said.startswith("warning: the fold teachers are not attacked") and "was trained on patient" in said
