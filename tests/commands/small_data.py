"""A datalist of a few patients, models trained on it for one epoch, and who opened which file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scripts.cohort.split_file import RecordedSplit

SIZE = 32  # pixels
NETWORK = {"network_name": "unet_small", "image_size": SIZE, "threads": 1, "progress": False, "folds": 2}
# The selection set then has images of both classes.
CLASSIFIER = {**NETWORK, "network_name": "resnet18", "task": "classification", "out_channels": 2}
CLASSIFIER["validation_share"] = 0.4
TRAINING = {**NETWORK, "epochs": 1, "batch_size": 16, "augment": "none", "validate_every": 1, "checkpoint_every": 1}
FORGETTING = {
    **NETWORK,
    **{"lora_rank": 1, "steps_per_round": 1, "max_rounds": 1, "min_rounds": 1, "bisect": False, "amp": False},
    **{"forget_batch": 2, "retain_batch": 2, "forget_learning_rate": 0.05, "forget_lr_schedule": "constant"},
}
RESTORING = {**NETWORK, "restore_epochs": 1, "restore_steps": 1, "restore_batch": 2, "amp": False}
OWN = {
    "train": TRAINING,
    "forget": FORGETTING,
    "restore": RESTORING,
    "evaluate": {**NETWORK, "overlays": 1, "surface": False, "attacks": ["fine_tuned_20"]},
}
PATIENTS = tuple(f"patient-{index:02d}" for index in range(16))
IMAGES = 2  # a patient


def write_datalist(folder: Path, patients: Sequence[str] = PATIENTS) -> dict[str, Any]:
    """Pictures, masks and their list; the settings that name it."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    entries = []
    for patient in patients:
        for number in range(IMAGES):
            name = f"{patient}-{number}"
            mask = np.zeros((SIZE, SIZE), np.uint8)
            left, top = draw.integers(2, 14, 2)
            mask[top : top + 14, left : left + 14] = 255
            picture = draw.integers(0, 90, (SIZE, SIZE), dtype=np.uint8) + mask // 2
            Image.fromarray(picture).save(folder / f"{name}.png")
            Image.fromarray(mask).save(folder / f"{name}-mask.png")
            entries.append({"image": f"{name}.png", "label": f"{name}-mask.png", "patient_id": patient})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    return {"dataset_name": "datalist", "datalist": str(folder / "list.json")}


def write_classes(folder: Path) -> None:
    """Bright and dark pictures of patients, and their list with the class that each shows."""
    folder.mkdir(parents=True)
    draw, entries = np.random.default_rng(1), []
    for index, patient in enumerate(PATIENTS):
        for number in range(IMAGES):
            picture = draw.integers(0, 100, (SIZE, SIZE)) + 120 * (index % 2)
            name = f"{patient}-{number}.png"
            Image.fromarray(picture.astype(np.uint8)).save(folder / name)
            entries.append({"image": name, "label": index % 2, "patient_id": patient})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")


def copied_models(source: Path, target: Path, *, request: bool = True) -> Path:
    """Data and models of a small run, and its request, in another folder."""
    for part in ("data", "models"):
        shutil.copytree(source / part, target / part)
    if request:
        shutil.copy(source / "request.csv", target)
    return target


def classifier(root: Path) -> dict[str, Any]:
    """Data and models of the fixture `classified` in its folder, or a copy of it."""
    data = {"dataset_name": "datalist", "datalist": str(root / "data" / "list.json"), "model_dir": str(root / "models")}
    return {**CLASSIFIER, **data}


def run_settings(root: Path, workflow: str) -> dict[str, Any]:
    """With which the run of the fixture `whole` was made in its folder, or a copy of it."""
    data = {"dataset_name": "datalist", "datalist": str(root / "data" / "list.json"), "model_dir": str(root / "models")}
    if workflow == "train":
        return {**TRAINING, **data, "output_dir": str(root / "trained")}
    return {**OWN[workflow], **data, "request": str(root / "request.csv"), "output_dir": str(root / "run")}


def trained_patients(models: Path) -> list[str]:
    """The patients of the training set, in order."""
    split = RecordedSplit.read(models / "split.json")
    assert split is not None
    return [name for name in PATIENTS if split.places[split.digest(name)] == "training"]


def everything(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """All below some folders, byte by byte: name -> permissions, time of change, content."""
    found = {}
    for folder in folders:
        for path in [folder, *folder.rglob("*")] if folder.exists() else []:
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


_opened: list[str] | None = None
_hooked = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], (str, bytes, os.PathLike)):
        _opened.append(os.path.abspath(os.fsdecode(arguments[0])))


@contextlib.contextmanager
def opened() -> Iterator[list[str]]:
    """The paths that this process opens inside the block."""
    global _opened, _hooked
    if not _hooked:
        sys.addaudithook(_note)  # no hook is ever removed; outside of the block it notes nothing
        _hooked = True
    _opened = found = []
    try:
        yield found
    finally:
        _opened = None
