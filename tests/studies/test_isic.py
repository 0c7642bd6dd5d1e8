"""ISIC 2018 segmentation: unlearn and suppress a tenth of the lesions, suppress one diagnosis.

make study STUDY=isic
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.studies import common

SEEDS = (1, 2, 3)
# Fixed epochs, no checkpoint selection: original and retrained model are a pair (VERIFICATION.md).
PAIRED = {**common.overlay("isic"), "select": "last", "surface": False, "folds": 3}
# The adapter's recipe that was fitted to a tenth of the lesions by hand, before preparation found one.
RECIPE = {
    "method": "erase_to_retain",
    "scope": "all",
    "lora_rank": 32,
    "lora_alpha": 64.0,
    "forget_learning_rate": 3e-3,
    "forget_lr_schedule": "cosine",
    "forget_weight": 10.0,
    "forget_batch": 16,
    "retain_batch": 8,
    "guard_batch": 8,
    "hard_share": 0.5,
    "retain_images": "all",
    "steps_per_round": 50,
    "max_rounds": 18,
    "min_rounds": 6,
}
# Suppression has to hold on other views of an image too.
VIEWS = {"forget_augment": "views"}
TENTH = {"forget_ratio": 0.1}
# Held-out lesions of other diagnoses look like the forgotten ones: a lower bound and more views are paid by them.
DIAGNOSIS = {"suppress_bound": 0.4, "forget_augment": "flips"}
RELEASED_EPOCHS = 30
POOL_SEED, MEMBERS = 101, 3  # fold teachers: shared by all seeds, and none of theirs
MEASURES = ("iou", "dice", "score", "false_negative_rate", "empty_mask")


def settings_of(data_root: Callable[[str], Path], seed: int) -> dict[str, Any]:
    """The overlay on the data at hand."""
    return {**PAIRED, "dataset_dir": str(data_root("ISIC2018_256")), "seed": seed}


def outcome(metrics: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run."""
    models = [name for name in ("teacher", "student", "retrained") if name in metrics]
    found: dict[str, Any] = {
        measure: {model: common.means(metrics, model, measure) for model in models} for measure in MEASURES
    }
    sizes = {part: value["n_images"] for part, value in metrics["teacher"].items()}
    return {**found, "images": sizes, **{key: metrics[key] for key in ("forgetting", "phases", "cost")}}


def pool(data_root: Callable[[str], Path]) -> Path:
    """The folder of the fold teachers."""
    folder = common.WORK / "isic" / "pool"
    for fold in range(PAIRED["folds"]):
        for member in range(MEMBERS):
            common.train(folder, "fold", {**settings_of(data_root, POOL_SEED + member), "fold": fold, "member": member})
    return folder


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_unlearn_a_tenth(seed: int, data_root: Callable[[str], Path]) -> None:
    settings = settings_of(data_root, seed)
    folder = common.WORK / "isic" / f"seed{seed}"
    common.train(folder, "model", settings)
    common.share_pool(pool(data_root), folder)
    retrained = common.train(folder, "retrained", {**settings, **TENTH})
    own = {**settings, **RECIPE, **TENTH}
    own.update(model_dir=str(folder), retrained_path=str(retrained))
    metrics = common.unlearn(folder / "unlearn", own)
    common.save(f"isic/unlearn_seed{seed}", {"seed": seed, "settings": RECIPE, **outcome(metrics)})
    assert metrics["teacher"]["validation"]["iou"]["mean"] > 0.7


@pytest.mark.study
def test_released_schedule(data_root: Callable[[str], Path]) -> None:
    """The paper's own schedule, with twice its 15 epochs: its batch of 64 makes few steps of so few images."""
    settings = settings_of(data_root, 1)
    folder = common.WORK / "isic" / "seed1"
    common.train(folder, "model", settings)
    retrained = common.train(folder, "retrained", {**settings, **TENTH})
    own = {**settings, **TENTH, "model_dir": str(folder), "retrained_path": str(retrained), "goal": "suppress"}
    rounds = {"max_rounds": RELEASED_EPOCHS, "min_rounds": RELEASED_EPOCHS}
    released = {**common.overlay("method_released"), **rounds}
    metrics = common.unlearn(folder / "released", {**own, **released}, restore=False)
    common.save("isic/released_seed1", {"seed": 1, **outcome(metrics)})
    assert metrics["cost"]["forget"]["cpu_seconds"] > 0


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_suppress_a_tenth(seed: int, data_root: Callable[[str], Path]) -> None:
    settings = settings_of(data_root, seed)
    folder = common.WORK / "isic" / f"seed{seed}"
    common.train(folder, "model", settings)
    own = {**settings, **TENTH, **VIEWS, "model_dir": str(folder), "goal": "suppress"}
    metrics = common.unlearn(folder / "suppress", own)
    used = {name: own[name] for name in DIAGNOSIS}
    common.save(f"isic/suppress_seed{seed}", {"seed": seed, "settings": used, **outcome(metrics)})
    assert metrics["student"]["forget"]["iou"]["mean"] < metrics["teacher"]["forget"]["iou"]["mean"]


@pytest.mark.study
def test_suppress_a_diagnosis(data_root: Callable[[str], Path]) -> None:
    settings = settings_of(data_root, 1)
    folder = common.WORK / "isic" / "seed1"
    common.train(folder, "model", settings)
    request = folder / "bkl.csv"
    request.write_text(
        "request_id,level,id,requested_on,ground\nbkl,class,BKL,2026-11-02,faulty_labels\n", encoding="utf-8"
    )
    own = {**settings, "model_dir": str(folder), "goal": "suppress", "request": str(request), **DIAGNOSIS}
    metrics = common.unlearn(folder / "suppress_bkl", own)
    common.save("isic/suppress_bkl", {"seed": 1, "settings": DIAGNOSIS, **outcome(metrics)})
    assert metrics["student"]["forget"]["iou"]["mean"] < metrics["teacher"]["forget"]["iou"]["mean"]
