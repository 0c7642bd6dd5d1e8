"""What the studies of recovery share: methods side by side on one teacher, and what comes back under attack."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scripts.record.evaluation import Evaluation
from scripts.record.recovery import Recovery
from scripts.record.run_folder import RunFolder
from scripts.workspace.workspace import Workspace, settings_of
from tests.studies import common
from torch import nn

# Name in the tables -> settings of `forget`; the first is what was the default before there were methods.
ARMS: dict[str, dict[str, Any]] = {
    "adapter": {"method": "erase_to_retain"},
    "adapter, hardened": {
        "method": "erase_to_retain",
        "scope": "all",
        "lora_rank": 16,
        "retain_batch": 16,
        "supervised_weight": 0.1,
        "hardening_weight": 0.3,
    },
    "all weights": {"method": "erase_to_retain", "trainable": "all", "hardening_weight": 0.0},
    "all weights, hardened": {"method": "erase_to_retain", "trainable": "all"},
    "fold start": {"method": "fold_start"},
    "fold start, labels only": {"method": "fold_start", "exact": True},
}
SEEN = ("fine_tuned_20", "fine_tuned_60")  # of the kind that hardening goes against
UNSEEN = ("fine_tuned_sgd", "relearned_5", "relearned_20")
AGREEMENT = ("retain", "validation", "test")


def arms(folder: Path, settings: Mapping[str, Any], wanted: Mapping[str, dict[str, Any]]) -> dict[str, Path]:
    """Arm -> its run folder; one that is done is taken as it is."""
    found = {}
    for name, own in wanted.items():
        place = folder / name.replace(", ", "_").replace(" ", "_")
        state = place / "private" / "identity.json"
        phases = ("forget",)
        if not state.is_file() or not common.read(state).get("forget", {}).get("done"):
            common.run("forget", {**settings, **own, "output_dir": str(place)})
        phases = tuple(common.read(place / "private" / "state.json")["phases"])
        if "restore" in phases and not common.read(state).get("restore", {}).get("done"):
            common.run("restore", {**settings, "output_dir": str(place)})
        found[name] = place
    return found


def measured(
    folder: Path,
    settings: Mapping[str, Any],
    made: Mapping[str, Path],
    others: Mapping[str, Path],
    *,
    attacks: Sequence[str] = SEEN + UNSEEN,
) -> dict[str, Any]:
    """Model -> key metric and score by set, agreement with the teacher, recovery and cost.

    Args:
        settings: of `evaluate`.
        made: arm -> its run folder.
        others: further models by name, such as the retrained one: their weights.
        attacks: by which what was forgotten is brought back; none of them leaves recovery out.
    """
    own = {name: value for name, value in settings.items() if name not in ("attacks",)}
    known = {**common.known("evaluate", own), "bundle_root": str(common.ROOT), "progress": False, "threads": 1}
    known["output_dir"] = str(folder / "evaluation")
    space = Workspace(workflow="evaluate", settings=settings_of({**known, "attacks": list(attacks)}, "evaluate"))
    weights = {name: place / "release" / "student.pt" for name, place in made.items()} | dict(others)
    models: dict[str, nn.Module] = {"teacher": space.teacher}
    models |= {name: space.model(path) for name, path in weights.items()}
    evaluation = Evaluation(
        models=models,
        loaders=space.loaders,
        task=space.task,
        arithmetic=space.arithmetic,
        folder=RunFolder(output_dir=folder / "evaluation", log=False),
        surface=False,
        forget_views="none",
    )
    metrics = evaluation.run()
    recovery: dict[str, Any] = {}
    if attacks:
        recovery = Recovery(
            names=attacks,
            loaders=space.loaders,
            task=space.task,
            arithmetic=space.arithmetic,
            fold_teachers=space.fold_teachers,
        ).measure(models, evaluation.rows)
    key = space.task.key_metric
    found = {
        name: {
            key: common.means(metrics, name, key),
            "score": common.means(metrics, name, "score"),
            "agreement": {part: agreement_on(space, models[name], part) for part in AGREEMENT},
            "recovery": recovery.get(name),
            "cost": cost(made[name]) if name in made else None,
        }
        for name in models
    }
    found["fold teacher"] = {"recovery": recovery.get("fold_teacher")}
    return found


@torch.no_grad()
def agreement_on(space: Workspace, network: nn.Module, part: str) -> float:
    """Mean over the images of a set of the agreement of the network's and the teacher's decisions."""
    found: list[float] = []
    for batch in space.loaders.evaluation(part):
        image = space.arithmetic.move(batch)["image"]
        one, other = (space.task.prediction(space.arithmetic.logits(net, image)) for net in (network, space.teacher))
        found += [space.task.agreement(a, b) for a, b in zip(one, other, strict=True)]
    return statistics.fmean(found)


def cost(folder: Path) -> float:
    """CPU seconds of the phases that made a student."""
    table = common.read(folder / "release" / "timing.json")
    return sum(entry["cpu_seconds"] for name, entry in table.items() if name in ("forget", "restore"))
