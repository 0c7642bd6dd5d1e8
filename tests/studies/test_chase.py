"""CHASE_DB1: the teacher beside the human ceiling, and requests for one child and for two.

make study STUDY=chase
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.cohort.build import build_cohort
from scripts.data import build_source
from tests.studies import common

SEEDS = (1,)
HUMAN_CEILING = 0.777  # mean Dice of the two observers, docs/RESULTS.md
# Fixed epochs, no checkpoint selection: original and retrained model are a pair (VERIFICATION.md).
PAIRED = {**common.overlay("chase"), "select": "last"}
# A teacher trained as one should, and one that knows its training images by heart: there is more to forget.
TEACHERS = {"augmented": {}, "overfitted": {"augment": "none", "epochs": 200}}


def settings_of(data_root: Callable[[str], Path], teacher: str) -> dict[str, Any]:
    """The overlay on the data at hand."""
    return {**PAIRED, **TEACHERS[teacher], "dataset_dir": str(data_root("CHASEDB1"))}


def children(data_root: Callable[[str], Path]) -> list[str]:
    """The two children whose images the first fold leaves out."""
    source = build_source("chase", dataset_dir=str(data_root("CHASEDB1")), observer=1)
    shares = {"validation_share": 0.2, "test_share": 0.2, "folds": PAIRED["folds"]}
    return sorted(child for child, fold in build_cohort(source, seed=0, **shares).folds.items() if fold == 0)


def write_request(path: Path, ids: list[str]) -> str:
    """A request.csv for these children."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{path.stem},patient,{child},2026-11-02,erasure_request\n" for child in ids)
    path.write_text("request_id,level,id,requested_on,ground\n" + rows, encoding="utf-8")
    return str(path)


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("teacher", TEACHERS)
def test_requests(teacher: str, seed: int, data_root: Callable[[str], Path]) -> None:
    settings = settings_of(data_root, teacher)
    folder = common.WORK / "chase" / f"{teacher}_seed{seed}"
    pair = children(data_root)
    requests = {
        "one_child": write_request(folder / "one_child.csv", pair[:1]),
        "two_children": write_request(folder / "two_children.csv", pair),
    }
    common.train(folder, "model", {**settings, "seed": seed})
    # The reference has a seed of its own: it must not share the original's initial weights.
    common.train(folder, "fold", {**settings, "seed": 100 + seed, "fold": 0})
    result: dict[str, Any] = {"seed": seed, "teacher": teacher, "human_ceiling_dice": HUMAN_CEILING}
    for name, request in requests.items():
        retrained = common.train(folder / name, "retrained", {**settings, "seed": seed, "request": request})
        own = {**settings, "model_dir": str(folder), "seed": seed, "request": request}
        metrics = common.unlearn(folder / name / "unlearn", {**own, "retrained_path": str(retrained)})
        result[name] = {
            measure: {model: common.means(metrics, model, measure) for model in ("teacher", "student", "retrained")}
            for measure in ("dice", "iou", "hd95", "nsd", "false_negative_rate", "score")
        }
        result[name]["forgetting"] = metrics["forgetting"]
        result[name]["phases"] = metrics["phases"]
        result[name]["cost"] = metrics["cost"]
        result[name]["training"] = common.read(folder / "run_model" / "release" / "timing.json")
    common.save(f"chase/{teacher}_seed{seed}", result)
    assert result["one_child"]["dice"]["teacher"]["test"] > 0.6
