"""The settings of forgetting that follow from goal, schedule and task, where the config leaves them open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scripts.errors import InputError, require_positive


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All settings of the forgetting phase; a round is `steps_per_round` optimiser steps.

    The released schedule counts a round as one pass over retain and one over forget, and has no
    stopping rule and no bisection.
    """

    goal: str
    schedule: str
    scope: str
    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    lr_schedule: str
    forget_objective: str
    forget_weight: float
    retain_objective: str
    retain_weight: float
    supervised_weight: float
    forget_batch: int
    retain_batch: int
    guard_batch: int
    hard_share: float
    retain_images: int | str
    steps_per_round: int
    max_rounds: int
    min_rounds: int
    stop_at: float
    tolerance: float
    bisect: bool

    @property
    def needs_reference(self) -> bool:
        """Whether the forget targets are predictions of fold teachers."""
        return self.forget_objective == "imitation"


_UNLEARN = {
    "scope": "decoder+head",
    "rank": 8,
    "alpha": 32.0,
    "dropout": 0.0,
    # 180 large steps that shrink to nothing do what 320 to 400 small ones did: docs/RESULTS.md, "Cost".
    "learning_rate": 3e-3,
    "lr_schedule": "cosine",
    "forget_objective": "imitation",
    "forget_weight": 1.0,
    "retain_objective": "supervised_distillation",
    "retain_weight": 1.0,
    # Enough to hold retain at the teacher's level, not so much that it goes on training past it.
    "supervised_weight": 0.05,
    "forget_batch": 8,
    "retain_batch": 8,
    "guard_batch": 0,
    "hard_share": 0.0,
    # As many as a few hundred steps draw anyhow: the cost stays the same however large the training set is.
    "retain_images": 320,
    "steps_per_round": 45,
    "max_rounds": 4,
    "min_rounds": 4,
    "stop_at": 0.97,
    "tolerance": 0.01,
    "bisect": True,
}
_SUPPRESS = {
    **_UNLEARN,
    "scope": "all",
    "rank": 16,
    "learning_rate": 2e-3,
    # Selectivity comes late: without decay the last steps trade retain against forget at random.
    "lr_schedule": "cosine",
    "forget_objective": "foreground",
    # At weight 1 the first steps take the structure away everywhere, and most later ones go into giving it back.
    "forget_weight": 0.2,
    "retain_objective": "distillation",
    "retain_batch": 12,
    "guard_batch": 12,
    # What is lost beside the forget set is lost on its look-alikes.
    "hard_share": 0.5,
    "retain_images": "all",
    "steps_per_round": 50,
    "max_rounds": 30,
    "min_rounds": 20,
    "stop_at": 1.0,
}
_RELEASED = {
    **_UNLEARN,
    "scope": "all",
    "dropout": 0.05,
    "learning_rate": 1e-4,
    "lr_schedule": "constant",
    "forget_objective": "background",
    "supervised_weight": 1.0,
    "retain_images": "all",
    "forget_batch": 64,
    "retain_batch": 64,
    "steps_per_round": 0,
    "max_rounds": 15,
    "min_rounds": 15,
    "stop_at": float("inf"),
    "bisect": False,
}
GOALS = ("unlearn", "suppress")
SCHEDULES = ("joint", "released")
REFERENCES = ("fold", "none")
POSITIVE = ("rank", "forget_batch", "retain_batch", "max_rounds")  # fields that are at least 1


# Settings of a config whose names say whose rank or rate they are -> fields of a recipe.
_FIELDS = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "forget_learning_rate": "learning_rate",
    "forget_lr_schedule": "lr_schedule",
}


def recipe_of(settings: Mapping[str, Any]) -> Recipe:
    """The recipe of a workflow's settings; those that are null follow from goal, schedule and task.

    Raises:
        InputError: a value that is not allowed.
    """
    known = {field.name for field in dataclasses.fields(Recipe)} | {"goal", "schedule", "task", "reference"}
    named = {_FIELDS.get(name, name): value for name, value in settings.items() if name not in _FIELDS.values()}
    return build_recipe(**{name: value for name, value in named.items() if name in known})


def build_recipe(*, goal: str, schedule: str, task: str, reference: str = "fold", **given: Any) -> Recipe:
    """The recipe of (goal, schedule, task) with every setting that is not None put in its place.

    Raises:
        InputError: a value that is not allowed.
    """
    for name, value, allowed in (
        ("goal", goal, GOALS),
        ("schedule", schedule, SCHEDULES),
        ("reference", reference, REFERENCES),
    ):
        if value not in allowed:
            raise InputError(f"{name}: '{value}' is not one of {', '.join(allowed)}")
    chosen: dict[str, Any] = dict(_RELEASED if schedule == "released" else _UNLEARN if goal == "unlearn" else _SUPPRESS)
    if schedule == "released" and task == "classification":
        # The background target has no meaning for classes; the released classifier pushes to uniform.
        chosen.update(forget_objective="entropy", forget_batch=16, retain_batch=16, max_rounds=30, min_rounds=30)
    if schedule == "joint" and goal == "unlearn" and reference == "none":
        chosen["forget_objective"] = "noisy_label"
    chosen.update({name: value for name, value in given.items() if value is not None})
    known = {field.name for field in dataclasses.fields(Recipe)}
    unknown = set(chosen) - known
    if unknown:
        raise InputError(f"recipe: unknown settings {', '.join(sorted(unknown))}; allowed: {', '.join(sorted(known))}")
    if given.get("supervised_weight") and chosen["retain_objective"] == "distillation":
        raise InputError(
            f"supervised_weight: {given['supervised_weight']} has no effect with retain_objective: distillation; give"
            " retain_objective: supervised_distillation"
        )
    named = {"lora_rank" if name == "rank" else name: chosen[name] for name in POSITIVE}
    require_positive(**named)
    if given.get("min_rounds") is None:
        # A default must not contradict a smaller number of rounds that was asked for.
        chosen["min_rounds"] = min(chosen["min_rounds"], chosen["max_rounds"])
    elif chosen["min_rounds"] > chosen["max_rounds"]:
        raise InputError(f"min_rounds: {chosen['min_rounds']} is more than max_rounds, {chosen['max_rounds']}")
    return Recipe(goal=goal, schedule=schedule, **chosen)
