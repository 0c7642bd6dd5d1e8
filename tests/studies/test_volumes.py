"""Volumes of 128^3 in patches: what memory a request takes with 10 of them and with 40, and what a step costs.

make study STUDY=volumes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scripts.cohort.split_file import RecordedSplit
from scripts.settings.config_file import read_config
from tests.studies import common

EDGE, COUNTS = 128, (10, 40)
SMALL = {
    **{"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 1, "channels": [8, 16, 32]},
    **{"strides": [2, 2], "norm": "INSTANCE"},
}
USUAL = {**SMALL, "channels": [16, 32, 64, 128], "strides": [2, 2, 2], "num_res_units": 2}


def volumes(folder: Path, count: int) -> Path:
    """A ball in each of so many volumes, of as many patients; the list."""
    path = folder / "list.json"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    axes = np.indices((EDGE,) * 3) - EDGE / 2
    entries = []
    for patient in range(count):
        draw = np.random.default_rng(patient)
        ball = ((axes - draw.uniform(-20, 20, (3, 1, 1, 1))) ** 2).sum(0) < draw.uniform(15, 25) ** 2
        texture = gaussian_filter(draw.standard_normal((EDGE,) * 3), 3)
        image = (100 * ball + 40 * texture / texture.std()).astype(np.int16)
        name = f"patient-{patient:02d}"
        for kind, array in (("image", image), ("mask", ball.astype(np.uint8))):
            nib.save(nib.Nifti1Image(array, np.eye(4)), folder / f"{name}-{kind}.nii.gz")
        entries.append({"image": f"{name}-image.nii.gz", "label": f"{name}-mask.nii.gz", "patient_id": name})
    path.write_text(json.dumps({"training": entries}), encoding="utf-8")
    return path


def command(workflow: str, settings: dict[str, Any], *, run_id: str = "") -> float:
    """Run the command line; its peak memory, MB."""
    own = read_config(common.ROOT / "configs" / f"{workflow}.yaml")
    words = [sys.executable, "-m", "monai.bundle", "run", run_id or workflow, "--config_file"]
    overlay = common.WORK / "volumes" / "network.yaml"
    overlay.write_text(json.dumps({"network_def": settings["network_def"]}), encoding="utf-8")
    words.append(str([f"configs/{workflow}.yaml", str(overlay)]))
    for name, value in settings.items():
        if name in own and name != "network_def":
            words += [f"--{name}", str(value)]
    process = subprocess.Popen(words, cwd=common.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, said[-3000:]
    return usage.ru_maxrss / 1000


def request(folder: Path, models: Path) -> Path:
    """One training patient."""
    split = RecordedSplit.read(models / "split.json")
    assert split is not None
    patients = [f"patient-{number:02d}" for number in range(COUNTS[-1])]
    asked = next(name for name in patients if split.places.get(split.digest(name)) == "training")
    path = folder / "request.csv"
    path.write_text(
        f"request_id,level,id,requested_on,ground\nvolumes,patient,{asked},2026-11-01,erasure_request\n",
        encoding="utf-8",
    )
    return path


def about(folder: Path, count: int, *, patch: int, network: dict[str, Any], cache: str) -> dict[str, Any]:
    """Settings that all steps have in common."""
    return {
        **{"dataset_name": "datalist", "datalist": str(volumes(common.WORK / "volumes" / f"{count}", count))},
        **{"spatial_dims": 3, "image_size": "null", "patch_size": patch, "normalise": "zscore", "cache": cache},
        **{"model_dir": str(folder / "models"), "network_def": network, "device": "cpu", "threads": 1},
        **{"progress": False, "amp": False, "near_duplicates": False, "split_seed": 0},
    }


@pytest.mark.study
def test_memory_does_not_grow_with_the_number_of_volumes() -> None:
    found: dict[str, dict[str, float]] = {}
    for count in COUNTS:
        folder = common.WORK / "volumes" / f"memory{count}"
        own = about(folder, count, patch=64, network=SMALL, cache="none")
        training = {"epochs": 1, "batch_size": 2, "augment": "none", "output_dir": str(folder / "train")}
        peak = {"train": command("train", {**own, **training}, run_id="single")}
        run = {**own, "request": str(request(folder, folder / "models")), "output_dir": str(folder / "run")}
        few = {"max_rounds": 1, "min_rounds": 1, "steps_per_round": 10, "forget_batch": 2, "retain_batch": 2}
        method = {"method": "erase_to_retain", "reference": "none", "cached_views": 4}
        peak["forget"] = command("forget", {**run, **few, **method})
        peak["evaluate"] = command("evaluate", {**run, "attacks": "[]", "overlays": 0, "surface": False})
        found[str(count)] = peak
    held = COUNTS[1] - COUNTS[0]
    result = {
        "peak_mb": found,
        "mb_of_the_further_volumes_if_they_were_held": held * EDGE**3 * 4 * 2 / 1e6,
    }
    common.save("volumes/memory", result)
    for phase in ("train", "forget", "evaluate"):
        assert found["40"][phase] < found["10"][phase] + 60


@pytest.mark.study
def test_a_step_of_forgetting_beside_one_of_training() -> None:
    folder, steps = common.WORK / "volumes" / "step", 12
    own = about(folder, COUNTS[0], patch=96, network=USUAL, cache="memory")
    training = {"epochs": 6, "batch_size": 2, "augment": "none", "validate_every": 6, "select": "last"}
    peak = {"train": command("train", {**own, **training, "output_dir": str(folder / "train")}, run_id="single")}
    run = {**own, "request": str(request(folder, folder / "models")), "output_dir": str(folder / "run")}
    few = {"max_rounds": 1, "min_rounds": 1, "steps_per_round": steps, "forget_batch": 1, "retain_batch": 1}
    method = {"method": "erase_to_retain", "reference": "none", "cached_views": 4}
    for name, more in {"adapter": {}, "all": {"trainable": "all"}}.items():
        output = {"output_dir": str(folder / name)}
        peak[name] = command("forget", {**run, **few, **method, **more, **output})
    times = {
        "train": common.read(folder / "train" / "release" / "timing.json"),
        **{name: common.read(folder / name / "release" / "timing.json") for name in ("adapter", "all")},
    }
    common.save("volumes/step", {"peak_mb": peak, "timing": times})
