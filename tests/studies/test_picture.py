"""The README's picture: one child of CHASE_DB1 before and after a request, and as a retrained model sees it.

make study STUDY=picture
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts.cohort.build import build_cohort
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.student.teacher import load_teacher
from scripts.tasks.networks import build_network
from tests.studies import common
from tests.studies.test_chase import OVERFITTED, write_request

FOLDS, SEED = 8, 1  # a child a fold
SETTINGS = {**common.overlay("chase"), **OVERFITTED, "select": "last", "folds": FOLDS, "seed": SEED, "request": ""}
WHITE, MISSED, EXTRA, GROUND = (245, 245, 245), (58, 110, 190), (205, 70, 60), (24, 26, 32)


def compared(reference: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Vessels of a model as colours: what the reference has too, what it alone has, what the model alone has.

    Answers of models alone: nothing of the data set is in the picture.
    """
    picture = np.empty((*answer.shape, 3), np.uint8)
    picture[:] = GROUND
    for where, colour in ((reference & answer, WHITE), (reference & ~answer, MISSED), (~reference & answer, EXTRA)):
        picture[where] = colour
    return picture


def dice(mask: np.ndarray, answer: np.ndarray) -> float:
    return float(2 * (mask & answer).sum() / (mask.sum() + answer.sum()))


@pytest.mark.study
def test_picture(data_root: Callable[[str], Path]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    own = {**SETTINGS, "dataset_dir": str(data_root("CHASEDB1"))}
    source = build_source("chase", dataset_dir=own["dataset_dir"], observer=1, channels=3)
    shares = {"validation_share": 0.2, "test_share": 0.2, "folds": FOLDS}
    child = next(name for name, fold in build_cohort(source, seed=0, **shares).folds.items() if fold == 0)
    folder = common.WORK / "picture"
    request = write_request(folder / "picture.csv", [child])
    teacher = common.train(folder / "models", "model", own)
    common.train(folder / "models", "model", {**own, "fold": 0, "seed": SEED + 100})
    retrained = common.train(folder / "models", "retrained", {**own, "request": request})
    asked = {**own, "model_dir": str(folder / "models"), "request": request, "method": "fold_start", "attacks": []}
    metrics = common.unlearn(folder / "run", asked)
    networks = {}
    for name, path in {
        "before": teacher,
        "after the request": folder / "run" / "release" / "student.pt",
        "retrained without the child": retrained,
    }.items():
        made = build_network(name=own["network_name"], spatial_dims=2, in_channels=3, out_channels=1)
        networks[name] = load_teacher(made, path).eval()
    prepare = preprocessing(source, image_size=own["image_size"])
    item = prepare(next(record for record in source.records() if record["patient_id"] == child))
    mask = np.asarray(item["label"][0]) > 0.5
    with torch.no_grad():
        answers = {name: np.asarray(network(item["image"][None])[0, 0]) > 0 for name, network in networks.items()}
    reference = answers["retrained without the child"]
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3.4), dpi=110)
    found: dict[str, Any] = {}
    for (name, answer), axis in zip(answers.items(), axes, strict=True):
        found[name] = {"expert": dice(mask, answer), "retrained": dice(reference, answer)}
        axis.imshow(compared(reference, answer), interpolation="nearest")
        axis.set_title(f"{name}\nDice with the expert {found[name]['expert']:.2f}", fontsize=9)
        axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    figure.savefig(common.ROOT / "docs" / "picture.png")
    common.save(
        "picture",
        {"dice": found, "test": {m: common.means(metrics, m, "dice")["test"] for m in ("teacher", "student")}},
    )
    assert found["after the request"]["retrained"] > found["before"]["retrained"]
