"""Reconstruction by the commands: train on two anatomies, forget one, evaluate; what is not for it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands.common import read, refusal, request_file, run

SMALL = {
    **{"dataset_name": "mri", "task": "reconstruction", "network_name": "unet_small", "image_size": 32, "folds": 0},
    **{"normalise": "none", "threads": 1, "progress": False, "validation_share": 0.3, "test_share": 0.2},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slices of two anatomies, six subjects each, and a teacher of one epoch."""
    folder = tmp_path_factory.mktemp("mri")
    (folder / "data").mkdir()
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] - 16.0
    for anatomy, width in (("brain", 1.0), ("neck", 0.5)):
        shape = np.hypot(rows, columns / width) < 12
        images = [(2000 * shape * draw.uniform(0.5, 1) + draw.uniform(0, 300, (32, 32))) for _ in range(12)]
        subjects = np.array([f"{anatomy}{number // 2}" for number in range(12)])
        np.savez(folder / "data" / f"{anatomy}_slices.npz", images=np.array(images, np.uint16), subject=subjects)
    training = {"epochs": 1, "batch_size": 8, "augment": "flips", "validate_every": 1}
    run("train", {**settings(folder), **training, "output_dir": str(folder / "train")})
    request_file(folder / "request.csv", ["neck"], level="class")
    return folder


def settings(folder: Path) -> dict[str, Any]:
    return {**SMALL, "dataset_dir": str(folder / "data"), "model_dir": str(folder / "models")}


@pytest.mark.parametrize(("method", "weight"), [("fine_tune", 1.0), ("ga_l1", 0.0), ("noisy_label", 1.0)])
def test_an_anatomy_is_forgotten_and_measured(root: Path, tmp_path: Path, method: str, weight: float) -> None:
    own = {**settings(root), "request": str(root / "request.csv"), "output_dir": str(tmp_path / "run")}
    steps = {"max_rounds": 1, "min_rounds": 1, "retain_weight": weight, "near_duplicates": False}
    run("forget", {**own, **steps, "method": method, "reference": "none"})
    run("evaluate", {**own, "overlays": 1})
    found = read(tmp_path / "run" / "release" / "metrics.json")
    assert {"ssim", "psnr", "nmse"} <= set(found["student"]["forget"])
    assert found["student"]["forget"]["psnr"] != found["teacher"]["forget"]["psnr"]
    assert (tmp_path / "run" / "private" / "overlays" / "forget.png").stat().st_size > 1000


def test_what_writes_masks_is_refused(root: Path, tmp_path: Path) -> None:
    given = {"checkpoint": str(root / "models" / "model.pt"), "dataset_dir": str(root), "network_name": "unet_small"}
    text = str(refusal("inference", {**given, "output_dir": str(tmp_path / "out")}, run_id="infer"))
    assert "was trained for task: reconstruction, and infer writes masks and classes" in text
    other = {**settings(root), "request": str(root / "request.csv"), "output_dir": str(tmp_path), "acceleration": 8}
    assert "acceleration: 8" in str(refusal("forget", {**other, "method": "fine_tune", "reference": "none"}))
