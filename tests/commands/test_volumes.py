"""Volumes with several structures, as NIfTI files of their own, through a network that has no short name: resized to
one size and run whole, or as they are, trained on patches and answered by a sliding window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scripts.cohort.split_file import RecordedSplit
from tests.commands.common import EXACT, FORGET, SMALL, pool_settings, read, request_file, run

SHAPE, VOXEL = (20, 18, 10), (0.2, 0.2, 0.5)  # voxels, mm
PATIENTS = [f"patient-{number:02d}" for number in range(12)]
NETWORK = {
    **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8]},
    **{"strides": [2], "norm": "INSTANCE"},
}


def write_volumes(folder: Path) -> Path:
    """A ball and its core in each volume, at another place; the list."""
    folder.mkdir()
    draw, entries = np.random.default_rng(0), []
    for patient in PATIENTS:
        centre = np.array(SHAPE) / 2 + draw.uniform(-1.5, 1.5, 3)
        apart = (np.indices(SHAPE).T - centre).T * np.array(VOXEL)[:, None, None, None]
        radius = np.sqrt((apart**2).sum(0))
        numbers = np.where(radius < 0.6, 1, np.where(radius < 1.3, 2, 0)).astype(np.uint8)
        image = (draw.normal(0, 10, SHAPE) + 60.0 * (numbers > 0) + 60.0 * (numbers == 1)).astype(np.float32)
        for name, values in (("image", image), ("mask", numbers)):
            nib.save(nib.Nifti1Image(values, np.diag([*VOXEL, 1])), folder / f"{patient}-{name}.nii.gz")
        entries.append({"image": f"{patient}-image.nii.gz", "label": f"{patient}-mask.nii.gz", "patient_id": patient})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    return folder / "list.json"


WHOLE = {"image_size": 16}
PATCHES = {"image_size": None, "patch_size": [8, 8, 6], "patch_overlap": 0.25}


@pytest.mark.slow
@pytest.mark.parametrize("size", [WHOLE, PATCHES], ids=["whole", "patches"])
def test_from_training_to_evaluation(tmp_path: Path, size: dict[str, Any]) -> None:
    own: dict[str, Any] = {
        **{"dataset_name": "datalist", "datalist": str(write_volumes(tmp_path / "data")), "network_def": NETWORK},
        **{"task": "multiclass_segmentation", "out_channels": 3, "spatial_dims": 3, "normalise": "zscore"},
        **size,
    }
    for fold in (-1, 0, 1):
        training = {**pool_settings(tmp_path / "models", fold=fold), **own, "epochs": 2, "batch_size": 4}
        run("train", {**training, "augment": "none", "learning_rate": 1e-2}, run_id="single")
    split = RecordedSplit.read(tmp_path / "models" / "split.json")
    assert split is not None
    asked = next(name for name in PATIENTS if split.places[split.digest(name)] == "training")
    request = request_file(tmp_path / "request.csv", [asked])
    about = {**own, "model_dir": str(tmp_path / "models"), "request": str(request), "output_dir": str(tmp_path / "run")}
    steps = {"min_rounds": 1, "max_rounds": 1, "forget_batch": 1, "retain_batch": 2}
    run("forget", {**FORGET, **about, **steps, "cached_views": 2 if "patch_size" in size else 0})
    run("evaluate", {**SMALL, **EXACT, **about, "overlays": 1, "attacks": []})
    found = read(tmp_path / "run" / "release" / "metrics.json")["student"]["validation"]
    assert {"dice_1", "dice_2", "hd95_1", "lesion_sensitivity_2"} <= set(found)
    # No distance is longer than the volume's diagonal, which in mm is a quarter of the grid's in pixels.
    diagonal = float(np.linalg.norm(np.array(SHAPE) * VOXEL))
    assert 0 < found["hd95"]["mean"] <= diagonal < 16 * 3**0.5 / 3
    assert (tmp_path / "run" / "private" / "overlays" / "validation.png").is_file()
