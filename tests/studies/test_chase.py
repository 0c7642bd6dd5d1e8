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
# The adapter's recipe that was fitted to these data by hand, before preparation found one.
RECIPE = {
    "method": "erase_to_retain",
    "scope": "all",
    "lora_rank": 16,
    "forget_batch": 2,
    "retain_batch": 4,
    "hard_share": 0.5,
    "forget_weight": 5.0,
    "forget_learning_rate": 2e-3,
    "supervised_weight": 0.5,
    "steps_per_round": 50,
}
# Fixed epochs, no checkpoint selection: original and retrained model are a pair (VERIFICATION.md).
PAIRED = {**common.overlay("chase"), "select": "last", "folds": 4}
# It knows its training images by heart: a teacher trained with augmentation knows them hardly better than others.
OVERFITTED = {"augment": "none", "epochs": 200}
MEMBERS = 2  # fold teachers that left the two children out
RELEASED = {
    **common.overlay("method_released"),
    "forget_batch": 4,
    "retain_batch": 4,
    "max_rounds": 80,
    "min_rounds": 80,
}


def settings_of(data_root: Callable[[str], Path]) -> dict[str, Any]:
    """The overlay on the data at hand, for the overfitted teacher."""
    return {**PAIRED, **OVERFITTED, "dataset_dir": str(data_root("CHASEDB1"))}


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
def test_teacher(seed: int, data_root: Callable[[str], Path]) -> None:
    """The overlay with the best epoch on the selection set: beside the human ceiling."""
    best = {"select": "best", "request": "", "seed": seed}
    settings = {**common.overlay("chase"), "dataset_dir": str(data_root("CHASEDB1")), **best}
    folder = common.WORK / "chase" / f"teacher_seed{seed}"
    model = common.train(folder, "model", settings)
    # Evaluated as a teacher and, for want of a request, as its own student; a share of 0.2 forgets two children.
    own = {**settings, "model_dir": str(folder), "forget_ratio": 0.2}
    metrics = common.evaluate(folder / "evaluate", model, own)
    measures = ("dice", "iou", "hd95", "nsd", "false_negative_rate")
    result = {measure: common.means(metrics, "teacher", measure) for measure in measures}
    timing = common.read(folder / "run_model" / "release" / "timing.json")
    common.save(
        f"chase/teacher_seed{seed}",
        {"seed": seed, "human_ceiling_dice": HUMAN_CEILING, "teacher": result, "training": timing},
    )
    assert result["dice"]["test"] > 0.72


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_requests(seed: int, data_root: Callable[[str], Path]) -> None:
    """An overfitted teacher, by the default and by the released schedule, beside retrained models."""
    settings = {**settings_of(data_root), "seed": seed}
    folder = common.WORK / "chase" / f"overfitted_seed{seed}"
    pair = children(data_root)
    requests = {
        "one_child": write_request(folder / "one_child.csv", pair[:1]),
        "two_children": write_request(folder / "two_children.csv", pair),
    }
    common.train(folder, "model", settings)
    # The references have seeds of their own: they must not share the original's initial weights.
    for member in range(MEMBERS):
        common.train(folder, "fold", {**settings, "seed": 100 + seed + 1000 * member, "fold": 0, "member": member})
    result: dict[str, Any] = {"seed": seed}
    for name, request in requests.items():
        retrained = common.train(folder / name, "retrained", {**settings, "request": request})
        own = {**settings, **RECIPE, "model_dir": str(folder), "request": request, "retrained_path": str(retrained)}
        result[name] = outcome(common.unlearn(folder / name / "unlearn", own))
        released = common.unlearn(folder / name / "released", {**own, **RELEASED}, restore=False)
        result[f"{name}_released"] = outcome(released)
    result["training"] = common.read(folder / "run_model" / "release" / "timing.json")
    common.save(f"chase/overfitted_seed{seed}", result)
    assert result["one_child"]["dice"]["student"]["forget"] < result["one_child"]["dice"]["teacher"]["forget"]


def outcome(metrics: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run."""
    found = {
        measure: {model: common.means(metrics, model, measure) for model in ("teacher", "student", "retrained")}
        for measure in ("dice", "iou", "hd95", "nsd", "false_negative_rate", "score")
    }
    return {**found, **{key: metrics[key] for key in ("forgetting", "phases", "cost")}}
