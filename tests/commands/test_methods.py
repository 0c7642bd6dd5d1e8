"""Every method runs to its end by the command, on segmentation and on classification; what it makes can be judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.methods.registry import NAMES, method_class
from scripts.record.phase import read_identities
from scripts.record.run_folder import RunFolder
from tests.commands.common import read, run
from tests.commands.small_data import NETWORK, classifier, copied_models, run_settings

ONE_ROUND = {"max_rounds": 1, "min_rounds": 1}
STEPPING = ("erase_to_retain", "fold_start")


def forget(folder: Path, own: dict[str, Any], name: str) -> dict[str, Any]:
    """Run the method; what the state of the run says."""
    kind = method_class(name)
    own = {**own, "method": name, "request": str(folder / "request.csv"), "near_duplicates": False}
    own["output_dir"] = str(folder / "runs" / name)
    if "max_rounds" not in kind.idle:
        own |= ONE_ROUND
    if name in STEPPING:
        own |= {"steps_per_round": 1, "bisect": False} if name == STEPPING[0] else {"steps_per_round": 1}
    if name == "salun_cra":
        own["critical_classes"] = [1]
    run("forget", own)
    return read(Path(own["output_dir"]) / "private" / "state.json")


def student_of(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(folder / "runs" / name / "release" / "student.pt", weights_only=True)


@pytest.mark.parametrize("name", [name for name in NAMES if not method_class(name).only_classes])
def test_segmentation(whole: Path, tmp_path: Path, name: str) -> None:
    copied_models(whole, tmp_path)
    given = run_settings(tmp_path, "forget")
    own = {key: given[key] for key in (*NETWORK, "dataset_name", "datalist", "model_dir")}
    state = forget(tmp_path, own, name)
    assert state["state"] == "trial" and state["method"] == name
    teacher = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    found = student_of(tmp_path, name)
    same = all(torch.equal(found[key], teacher[key]) for key in teacher)
    # One image is too few for a weight to matter ten times more for it than for all.
    assert same == (name == "do_nothing") or name == "ssd"
    # A commit can destroy all that the run left in its private folder, a network that was trained there among it.
    assert RunFolder(output_dir=tmp_path / "runs" / name).foreign("private") == []


@pytest.mark.parametrize("name", NAMES)
def test_classification(classified: Path, tmp_path: Path, name: str) -> None:
    copied_models(classified, tmp_path)
    state = forget(tmp_path, classifier(tmp_path), name)
    assert state["state"] == "trial" and state["method"] == name
    assert all(bool(value.isfinite().all()) for value in student_of(tmp_path, name).values())
    assert read_identities(RunFolder(output_dir=tmp_path / "runs" / name))["forget"]["done"] is True
