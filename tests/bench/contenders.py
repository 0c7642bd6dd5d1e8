"""The ways to answer a request, each as the workflows that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from scripts.cohort.build import build_cohort
from scripts.data import build_source
from scripts.engines.arithmetic import has_bf16
from tests.bench.cases import Case
from tests.studies import common

CONTENDERS = ("retrain", "released", "finetune", "ours", "fold_start", "prepared")
FINETUNED = 10  # times fewer epochs than the teacher's training, at a tenth of its learning rate
STUDENTS = ("ours", "released", "fold_start", "prepared")  # the others train a model of their own

SOURCE = {
    "name": "dataset_name",
    **{key: key for key in ("dataset_dir", "datalist", "task", "observer", "phantom_seed", "phantom_patients")},
}

Step = dict[str, Any]


def own_settings(case: Case, folder: Path) -> dict[str, Any]:
    """Settings of a run in `folder` that forgets what the case asks for."""
    # The same arithmetic for all, training among them: what bf16 gives is no merit of forgetting.
    bf16 = has_bf16(torch.device("cpu"))
    return {**case.settings, "amp": bf16, "model_dir": str(case.folder), "output_dir": str(folder)}


def steps(name: str, case: Case, folder: Path, *, goal: float | None, epochs: int = 80) -> list[Step]:
    """The workflows of a contender, which leaves its model at `result(...)`.

    Args:
        folder: of this run; new.
        goal: progress that ours reached, at which the released schedule may stop.
        epochs: at most, of the released schedule.
    """
    settings = own_settings(case, folder)
    if name == "ours":
        own = {**settings, "method": "erase_to_retain", **case.recipe}
        return [{"workflow": step, "settings": own} for step in ("forget", "restore")]
    if name in ("fold_start", "prepared"):
        own = {**settings, "method": "fold_start", "retain_batch": recipe(case)["batch_size"]}
        if name == "prepared":
            own["model_dir"] = str(case.prepared)
        return [{"workflow": "forget", "settings": own}]
    if name == "released":
        own = {
            **settings,
            "method": "erase_to_retain",
            **common.overlay("method_released"),
            **case.released,
            "max_rounds": epochs,
            "min_rounds": 1,
            "stop_at": goal,
            "tolerance": 1.0,
        }
        return [{"workflow": "forget", "settings": own}]
    training: Step = {
        "workflow": "train",
        "settings": {**settings, "model_dir": str(folder), "model_name": "model.pt", "output_dir": str(folder / "run")},
    }
    if name == "finetune":
        own = recipe(case)
        own = {"epochs": max(1, own["epochs"] // FINETUNED), "learning_rate": own["learning_rate"] / 10}
        training["settings"].update(own)
        training["weights"] = str(case.folder / "model.pt")
    return [training]


def recipe(case: Case) -> dict[str, Any]:
    """Epochs and learning rate of the teacher's training."""
    return {**common.overlay("train"), **case.settings}


def passes(case: Case) -> dict[str, float]:
    """Image passes of retraining, and the least that any request needs; one is forward and backward of the network.

    The least: forward passes, a third each, of teacher, references and student on the forget images and of teacher and
    student on the selection images, by which one knows that the goal is reached; one step over the forget images.
    `bound` is their quotient: no method is more times cheaper than retraining on this data set.
    """
    known = recipe(case)
    source = build_source(
        **{name: known[key] for name, key in SOURCE.items()}, download=False, spatial_dims=known["spatial_dims"]
    )
    shares = {name: known[name] for name in ("validation_share", "test_share", "folds", "request")}
    cohort = build_cohort(source, seed=known["split_seed"], forget_ratio=known["forget_ratio"], **shares)
    forward = len(cohort.forget) * (2 + case.members) + 2 * len(cohort.selection)
    retraining = known["epochs"] * len(cohort.retain)
    least = forward / 3 + len(cohort.forget)
    return {"retraining": retraining, "least_of_a_request": least, "bound": retraining / least}


def result(name: str, folder: Path) -> Path:
    """The weights that a contender left."""
    return folder / "release" / "student.pt" if name in STUDENTS else folder / "model.pt"


def outcome(case: Case, folder: Path, student: Path, retrained: Path) -> dict[str, Any]:
    """Key metric on each set, and FF: the forgotten fraction by the validation-corrected score."""
    settings = {**own_settings(case, folder), "retrained_path": str(retrained)}
    metrics = common.evaluate(folder, student, settings)
    values: Mapping[str, float] = common.means(metrics, "student", case.metric)
    teacher = common.means(metrics, "teacher", case.metric)
    found = {"forgotten_fraction": metrics["forgetting"].get("forgotten_fraction"), case.metric: values}
    return {**found, f"{case.metric}_teacher": teacher}
