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
EDGE = 112  # pixels of the part that is shown


def part(one: np.ndarray, other: np.ndarray) -> tuple[slice, slice]:
    """Where two answers differ most."""
    apart = np.cumsum(np.cumsum(np.pad(one ^ other, ((1, 0), (1, 0))), 0), 1)
    counts = apart[EDGE:, EDGE:] - apart[:-EDGE, EDGE:] - apart[EDGE:, :-EDGE] + apart[:-EDGE, :-EDGE]
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    return slice(row, row + EDGE), slice(column, column + EDGE)


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
    shown = part(*list(answers.values())[:2])
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3.5), dpi=110, layout="constrained")
    found: dict[str, Any] = {}
    for (name, answer), axis in zip(answers.items(), axes, strict=True):
        found[name] = dice(mask, answer)
        # Answers of models alone: nothing of the data set is in the picture.
        axis.imshow(answer[shown], cmap="gray", interpolation="nearest")
        axis.set_title(f"{name}\nDice with the expert {found[name]:.2f}", fontsize=10)
        axis.set_axis_off()
    figure.savefig(common.ROOT / "docs" / "picture.png")
    common.save(
        "picture",
        {"dice": found, "test": {m: common.means(metrics, m, "dice")["test"] for m in ("teacher", "student")}},
    )
    assert found["before"] - 0.1 > found["after the request"]
