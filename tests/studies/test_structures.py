"""FF_true where the phantom has two structures, as classes that exclude one another and as labels that overlap.

make study STUDY=structures
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.data import build_source
from scripts.data.phantom import recall_slope
from scripts.data.transforms import preprocessing
from scripts.tasks import build_network, build_task
from tests.studies import common
from tests.studies.test_phantom import MEMBERS, PAIRED, POOL_SEED, REQUEST, cohort

SEEDS = (1, 2, 3)
TASKS = {"multiclass_segmentation": 3, "multilabel_segmentation": 2}  # and outputs


def slope(path: Path, name: str) -> float:
    """Recall slope of a model on the forget images, of its outermost boundary: the union of what it finds."""
    source, task = build_source("phantom", task=name), build_task(name)
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=TASKS[name])
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    prepare = preprocessing(source, image_size=64, normalise="half")
    masks = {}
    with torch.no_grad():
        for record in cohort().forget:
            found = task.prediction(network(prepare(record)["image"][None]))
            masks[record["image"]] = found[0].bool().any(0).numpy()
    return recall_slope(masks)


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TASKS)
def test_forgotten_fraction(name: str, seed: int) -> None:
    own: dict[str, Any] = {**PAIRED, "task": name, "out_channels": TASKS[name]}
    work = common.WORK / "structures" / name
    fold = {cohort().fold_of(record) for record in cohort().forget}.pop()
    for member in range(MEMBERS):
        common.train(work / "pool", "fold", {**own, "seed": POOL_SEED + member, "fold": fold, "member": member})
    folder = work / f"seed{seed}"
    original = common.train(folder, "model", {**own, "seed": seed})
    retrained = common.train(folder, "retrained", {**own, "seed": seed, "request": str(REQUEST)})
    common.share_pool(work / "pool", folder)
    settings = {**own, "model_dir": str(folder), "seed": seed, "retrained_path": str(retrained), "surface": False}
    metrics = common.unlearn(folder / "unlearn", {**settings, "request": str(REQUEST)})
    paths = {"original": original, "retrained": retrained}
    beta = {kind: slope(path, name) for kind, path in paths.items()}
    beta["unlearned"] = slope(folder / "unlearn" / "release" / "student.pt", name)
    result = {
        "recall_slope": beta,
        "ff_true": (beta["original"] - beta["unlearned"]) / (beta["original"] - beta["retrained"]),
        "ff_score": metrics["forgetting"]["forgotten_fraction"],
        "dice": {
            model: {measure: common.means(metrics, model, measure) for measure in ("dice", "dice_1", "dice_2")}
            for model in ("teacher", "student", "retrained")
        },
        "method": metrics["phases"].get("method"),
    }
    common.save(f"structures/{name}_seed{seed}", result)
    assert 0.5 < result["ff_true"] < 1.5
