"""FF_true of the default on the phantom, beside the controls whose truth is constructed.

make study STUDY=phantom
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.cohort.build import build_cohort
from scripts.data import build_source
from scripts.data.phantom import recall_slope
from scripts.data.transforms import preprocessing
from scripts.tasks import build_network
from tests.studies import common

SEEDS = (1, 2, 3, 4, 5)
CONTROLLED = (1, 2, 3)  # seeds for which the half and over controls are trained too
POOL_SEED, MEMBERS = 101, 3  # fold teachers that left the patients out: shared by all seeds, and none of theirs
OVER = -0.7  # the annotator's bias in the labels of the over-forgotten control
REQUEST = common.ROOT / "sample_data" / "request.csv"
# Paired models: fixed epochs, no checkpoint selection (VERIFICATION.md).
PAIRED = {"select": "last", "folds": 5}


def cohort(request: str = str(REQUEST)) -> Any:
    """The cohort of the default request."""
    shares = {"validation_share": 0.2, "test_share": 0.2, "folds": 5}
    return build_cohort(build_source("phantom"), request=request, seed=0, **shares)


def slope(path: Path) -> float:
    """Recall slope of a model on the forget images."""
    source = build_source("phantom")
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=1)
    network.load_state_dict(torch.load(path, weights_only=True))
    network.eval()
    prepare = preprocessing(source, image_size=64, normalise="half")
    with torch.no_grad():
        masks = {
            record["image"]: (network(prepare(record)["image"][None])[0, 0] > 0).numpy() for record in cohort().forget
        }
    return recall_slope(masks)


def half_request(folder: Path) -> str:
    """A request for the first half of the patients only."""
    with REQUEST.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
        rows = rows[: len(rows) // 2]
    path = folder / "half.csv"
    with path.open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def over_records() -> list[dict[str, Any]]:
    """The training set in which the forget patients carry the bias of an over-forgotten model."""
    own = cohort()
    return [*own.retain, *({**record, "label_shrink": OVER} for record in own.forget)]


def pool() -> Path:
    """The folder of the fold teachers; their seeds are not the originals', so they share no initial weights."""
    folder = common.WORK / "phantom" / "pool"
    fold = {cohort().fold_of(record) for record in cohort().forget}.pop()
    for member in range(MEMBERS):
        common.train(folder, "fold", {**PAIRED, "seed": POOL_SEED + member, "fold": fold, "member": member})
    return folder


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_forgotten_fraction(seed: int) -> None:
    folder = common.WORK / "phantom" / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    paired = {**PAIRED, "seed": seed}
    original = common.train(folder, "model", paired)
    retrained = common.train(folder, "retrained", {**paired, "request": str(REQUEST)})
    common.share_pool(pool(), folder)
    controls = {}
    if seed in CONTROLLED:
        half, over = {"request": half_request(folder)}, {"train::dataset::data": over_records()}
        controls["half"] = common.train(folder, "half", {**paired, **half})
        controls["over"] = common.train(folder, "over", {**paired, **over})
    settings = {"model_dir": str(folder), "seed": seed, "retrained_path": str(retrained), "surface": False}
    metrics = common.unlearn(folder / "unlearn", settings)
    references = {path.stem: path for path in sorted(pool().glob("model_fold*.pt"))}
    beta = {
        name: slope(path)
        for name, path in {
            **references,
            "original": original,
            "retrained": retrained,
            "unlearned": folder / "unlearn" / "release" / "student.pt",
            **controls,
        }.items()
    }
    gap = beta["original"] - beta["retrained"]
    result = {
        "seed": seed,
        "recall_slope": beta,
        "ff_true": {name: (beta["original"] - value) / gap for name, value in beta.items() if name not in references},
        "ff_score": metrics["forgetting"]["forgotten_fraction"],
        "dice": {name: common.means(metrics, name, "dice") for name in ("teacher", "student", "retrained")},
        "phases": metrics["phases"],
        "cost": metrics["cost"],
    }
    common.save(f"phantom/seed{seed}", result)
    assert 0.7 <= result["ff_true"]["unlearned"] <= 1.3
    for name in ("retain", "validation"):
        assert abs(result["dice"]["student"][name] - result["dice"]["teacher"][name]) <= 0.01
