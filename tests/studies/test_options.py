"""Options of training and of answering, each alone against the plain recipe, on the 380 lesions of ISIC 2017.

Two fifths of the lesions are for testing; nothing is chosen by them. make study STUDY=options
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from scripts.enhancement.__main__ import enhance_folder
from tests.studies import common

DATA = Path(os.environ.get("UNLEARN_DATA") or common.ROOT.parent / "shared" / "data") / "ISIC2017"
PICTURES = "ISIC-2017_Training_Data"
SEEDS = (1, 2, 3)
SPLIT = {"validation_share": 0.1, "test_share": 0.4, "guard_share": 0.0}
PLAIN = {
    **common.overlay("isic"),
    **SPLIT,
    "image_size": 64,
    "epochs": 20,
    "dataset_dir": str(DATA),
    "amp": False,
    "folds": 3,
}
# Name in the table -> what differs in training.
TRAINED: dict[str, dict[str, Any]] = {
    "plain": {},
    "augment: none": {"augment": "none"},
    "augment: dermoscopy": {"augment": "dermoscopy"},
    "training_loss: tversky": {"training_loss": "tversky"},
    "training_loss: ohem": {"training_loss": "ohem"},
}
CLASSES = {
    **common.overlay("isic_classification"),
    **SPLIT,
    "image_size": 64,
    "epochs": 20,
    "dataset_dir": str(DATA),
    "amp": False,
}
LOOK = {"attacks": [], "overlays": 0, "surface": False, "forget_views": "none"}


def held_out(folder: Path, settings: dict[str, Any], model: str = "teacher") -> dict[str, float]:
    """Measures on the test set, means over patients."""
    if not (folder / "release" / "metrics.json").is_file():
        own = {**settings, **LOOK, "output_dir": str(folder), "student_path": ""}
        common.run("evaluate", {**own, "student_path": str(Path(own["model_dir"]) / own["model_name"])})
    found = common.read(folder / "release" / "metrics.json")[model]["test"]
    return {name: found[name]["mean"] for name in ("dice", "iou", "accuracy", "false_negative_rate") if name in found}


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_segmentation(seed: int) -> None:
    work = common.WORK / "options" / f"seed{seed}"
    found: dict[str, Any] = {}
    for name, changed in TRAINED.items():
        own = {**PLAIN, **changed, "seed": seed, "model_dir": str(work), "split_dir": str(work)}
        path = common.train(work, name.replace(": ", "_"), own)
        found[name] = held_out(work / "look" / path.stem, {**own, "model_name": path.name})
    plain = {**PLAIN, "seed": seed, "model_dir": str(work), "model_name": "plain.pt"}
    found["test_augment: flips"] = held_out(work / "look" / "flips", {**plain, "test_augment": "flips"})
    for fold in range(PLAIN["folds"]):
        common.train(work, "plain", {**plain, "fold": fold})
    found["ensemble (3 folds)"] = held_out(work / "look" / "ensemble", {**plain, "ensemble": True}, "ensemble")
    bright, where = enhanced_copy()
    own = {**plain, "dataset_dir": str(where), "model_dir": str(work / "bright"), "model_name": "plain.pt"}
    common.train(work / "bright", "plain", own)
    found["enhancement (NSGA-II)"] = held_out(work / "look" / "bright", own)
    found["enhanced pictures"] = bright
    common.save(f"options/segmentation_seed{seed}", found)
    assert found["plain"]["dice"] > 0.5


def enhanced_copy() -> tuple[int, Path]:
    """How many of the pictures were changed, and the data set with the enhanced ones in their place."""
    folder = common.WORK / "options" / "enhanced"
    enhance_folder(DATA / PICTURES, folder / PICTURES)
    for path in DATA.iterdir():
        if path.name != PICTURES and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    records = [common.read(path) for path in (folder / PICTURES).glob("*.enhanced.json")]
    return sum(record["change"]["contrast"] != 1 or record["change"]["brightness"] != 0 for record in records), folder


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_classification(seed: int) -> None:
    work = common.WORK / "options" / f"classes{seed}"
    found: dict[str, Any] = {}
    for name, changed in {"plain": {}, "feed_back: 0.25": {"feed_back": 0.25}}.items():
        own = {**CLASSES, **changed, "seed": seed, "model_dir": str(work)}
        path = common.train(work, name.split(":")[0], own)
        found[name] = held_out(work / "look" / path.stem, {**own, "model_name": path.name})
    common.save(f"options/classification_seed{seed}", found)
    assert found["plain"]["accuracy"] > 1 / 3
