"""Every method runs to its end by the command, on segmentation and on classification; what it makes can be judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scripts.methods.registry import NAMES, method_class
from scripts.record.phase import read_identities
from scripts.record.run_folder import RunFolder
from tests.commands.common import once, read, request_file, run
from tests.commands.small_data import NETWORK, PATIENTS, SIZE, TRAINING, run_settings, trained_patients

CLASSIFIER = {**NETWORK, "network_name": "resnet18", "image_size": 32, "task": "classification", "out_channels": 2}
CLASSIFIER["validation_share"] = 0.4  # selection then has images of both classes
ONE_ROUND = {"max_rounds": 1, "min_rounds": 1}
STEPPING = ("erase_to_retain", "fold_start")


@pytest.fixture(scope="session")
def classified(shared: Path) -> Path:
    """A small datalist with class numbers, a teacher and two fold teachers."""
    root = shared / "classified"
    with once(root) as todo:
        if todo:
            write_classes(root / "data")
            run("train", {**TRAINING, **settings(root), "output_dir": str(root / "trained")})
            request_file(root / "request.csv", trained_patients(root / "models")[:1])
    return root


def write_classes(folder: Path) -> None:
    """Bright and dark pictures of patients, with the class that they show."""
    folder.mkdir(parents=True)
    draw, entries = np.random.default_rng(1), []
    for index, patient in enumerate(PATIENTS):
        for number in range(2):
            picture = draw.integers(0, 100, (SIZE, SIZE)) + 120 * (index % 2)
            name = f"{patient}-{number}.png"
            Image.fromarray(picture.astype(np.uint8)).save(folder / name)
            entries.append({"image": name, "label": index % 2, "patient_id": patient})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")


def settings(root: Path) -> dict[str, Any]:
    """Data and models of the small classification."""
    data = {"dataset_name": "datalist", "datalist": str(root / "data" / "list.json"), "model_dir": str(root / "models")}
    return {**CLASSIFIER, **data}


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
    for part in ("data", "models"):
        shutil.copytree(whole / part, tmp_path / part)
    shutil.copy(whole / "request.csv", tmp_path)
    given = run_settings(tmp_path, "forget")
    own = {key: given[key] for key in (*NETWORK, "dataset_name", "datalist", "model_dir")}
    state = forget(tmp_path, own, name)
    assert state["state"] == "trial" and state["method"] == name
    teacher = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    found = student_of(tmp_path, name)
    same = all(torch.equal(found[key], teacher[key]) for key in teacher)
    # One image is too few for a weight to matter ten times more for it than for all.
    assert same == (name == "do_nothing") or name == "ssd"


@pytest.mark.parametrize("name", NAMES)
def test_classification(classified: Path, tmp_path: Path, name: str) -> None:
    for part in ("data", "models"):
        shutil.copytree(classified / part, tmp_path / part)
    shutil.copy(classified / "request.csv", tmp_path)
    state = forget(tmp_path, settings(tmp_path), name)
    assert state["state"] == "trial" and state["method"] == name
    assert all(bool(value.isfinite().all()) for value in student_of(tmp_path, name).values())
    assert read_identities(RunFolder(output_dir=tmp_path / "runs" / name))["forget"]["done"] is True
