"""ISIC diagnosis in three classes: unlearn a tenth of the images, beside a retrained model.

make study STUDY=isic_classification
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.studies import common

SEEDS = (1,)
PAIRED = {**common.overlay("isic_classification"), "select": "last", "surface": False, "folds": 3}
TENTH = {"forget_ratio": 0.1}


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_unlearn_a_tenth(seed: int, data_root: Callable[[str], Path]) -> None:
    settings = {**PAIRED, "dataset_dir": str(data_root("ISIC2017")), "seed": seed}
    folder = common.WORK / "isic_classification" / f"seed{seed}"
    common.train(folder, "model", settings)
    # The references have seeds of their own: they must not share the original's initial weights.
    for fold in range(PAIRED["folds"]):
        common.train(folder, "fold", {**settings, "seed": 100 + seed, "fold": fold})
    retrained = common.train(folder, "retrained", {**settings, **TENTH})
    own = {**settings, **TENTH, "model_dir": str(folder), "retrained_path": str(retrained)}
    metrics = common.unlearn(folder / "unlearn", own)
    models = ("teacher", "student", "retrained")
    result = {
        measure: {model: common.means(metrics, model, measure) for model in models}
        for measure in ("accuracy", "cross_entropy", "score")
    }
    auc = {model: {part: found.get("auc") for part, found in metrics[model].items()} for model in models}
    kept = {key: metrics[key] for key in ("forgetting", "phases", "cost")}
    sizes = {part: value["n_images"] for part, value in metrics["teacher"].items()}
    common.save(f"isic_classification/seed{seed}", {"seed": seed, **result, "auc": auc, "images": sizes, **kept})
    assert result["accuracy"]["student"]["forget"] < result["accuracy"]["teacher"]["forget"]
