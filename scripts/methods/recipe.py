"""All settings of the forgetting phase, those that the config leaves open filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.errors import InputError, require_positive


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A round is `steps_per_round` optimiser steps, or with 0 as many as one pass takes.

    The released schedule counts a round as one pass over retain and one over forget, and has no
    stopping rule and no bisection. The fields from `saliency_share` on belong to some methods alone: `Method.own`.
    """

    goal: str
    schedule: str
    trainable: str
    scope: str
    rank: int
    alpha: float
    dropout: float
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
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
    hardening_weight: float
    hardening_steps: int
    retain_images: int | str
    steps_per_round: int
    max_rounds: int
    min_rounds: int
    stop_at: float
    tolerance: float
    bisect: bool
    saliency_share: float | None = None
    critical_classes: Sequence[int] | None = None
    ascent_rounds: int | None = None
    dampen_above: float | None = None
    dampening: float | None = None
    l1_weight: float | None = None
    last_layers: int | None = None

    @property
    def needs_reference(self) -> bool:
        """Whether the forget targets are what another model says of the images: fold teachers, or the method's own."""
        return self.forget_objective in ("imitation", "matching")

    @property
    def measured(self) -> bool:
        """Whether progress is measured: for a stopping rule that may end the phase early, or to fit the scale."""
        return self.bisect or self.min_rounds < self.max_rounds

    def as_settings(self) -> dict[str, Any]:
        """The recipe by the names of the settings, as a config would give it: without what has no effect."""
        apart = [*ADAPTER] if self.trainable == "all" else []
        if self.retain_objective != "supervised_distillation":
            apart.append("supervised_weight")
        if self.optimizer != WITH_MOMENTUM:
            apart.append("momentum")
        apart += [name for name in OWN if getattr(self, name) is None]
        fields = {name: value for name, value in dataclasses.asdict(self).items() if name not in apart}
        return {SETTING_NAMES.get(name, name): value for name, value in fields.items() if value != float("inf")}


POSITIVE = ("rank", "forget_batch", "retain_batch", "max_rounds")  # fields that are at least 1
ADAPTER = ("scope", "rank", "alpha", "dropout")  # fields of an adapter
# Fields of some methods alone.
OWN = ("saliency_share", "critical_classes", "ascent_rounds", "dampen_above", "dampening", "l1_weight", "last_layers")
WITH_MOMENTUM = "sgd"
# What torch's optimisers do where nothing is said.
PLAIN = {
    "adamw": {"momentum": 0.0, "weight_decay": 0.01},
    "adam": {"momentum": 0.0, "weight_decay": 0.0},
    "sgd": {"momentum": 0.9, "weight_decay": 5e-4},
}
# Settings of a config whose names say whose rank or rate they are -> fields of a recipe.
_FIELDS = {
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "forget_optimizer": "optimizer",
    "forget_learning_rate": "learning_rate",
    "forget_momentum": "momentum",
    "forget_weight_decay": "weight_decay",
    "forget_lr_schedule": "lr_schedule",
}
SETTING_NAMES = {field: setting for setting, field in _FIELDS.items()}
FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))
SETTINGS = tuple(SETTING_NAMES.get(name, name) for name in FIELDS if name not in ("goal", "schedule"))


# Fields that every recipe gives as settings; the others it gives only where they have an effect.
_SOMETIMES = (*ADAPTER, *OWN, "goal", "schedule", "stop_at", "supervised_weight", "momentum")
ALWAYS = tuple(name for name in FIELDS if name not in _SOMETIMES)


def leaves_open(settings: Mapping[str, Any]) -> bool:
    """Whether a recipe could fill in a setting; in the models of a pool all of them are given."""
    return any(settings.get(SETTING_NAMES.get(name, name)) is None for name in ALWAYS)


def given_fields(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those fields of a recipe that settings give: the ones that are not null."""
    named = {_FIELDS.get(name, name): value for name, value in settings.items() if name not in _FIELDS.values()}
    apart = ("goal", "schedule")
    return {name: value for name, value in named.items() if name in FIELDS and name not in apart and value is not None}


def build_recipe(*, goal: str, schedule: str, defaults: Mapping[str, Any], **given: Any) -> Recipe:
    """The defaults of a method with every field that was given, and is not None, put in its place.

    Raises:
        InputError: a value that is not allowed, or two that contradict each other.
    """
    given = {name: value for name, value in given.items() if value is not None}
    chosen = {**defaults, **given}
    if given.get("optimizer", defaults["optimizer"]) != defaults["optimizer"]:
        # The method's decay and momentum are those of its own optimiser.
        chosen |= {name: value for name, value in PLAIN[chosen["optimizer"]].items() if name not in given}
    if "momentum" in given and chosen["optimizer"] != WITH_MOMENTUM:
        raise InputError(
            f"forget_momentum: {given['momentum']} has no effect with forget_optimizer: {chosen['optimizer']}; give"
            f" forget_optimizer: {WITH_MOMENTUM}"
        )
    if unknown := sorted(set(chosen) - set(FIELDS)):
        raise InputError(f"recipe: unknown settings {', '.join(unknown)}; allowed: {', '.join(FIELDS)}")
    if given.get("supervised_weight") and chosen["retain_objective"] != "supervised_distillation":
        raise InputError(
            f"supervised_weight: {given['supervised_weight']} has no effect with retain_objective:"
            f" {chosen['retain_objective']}; give retain_objective: supervised_distillation"
        )
    require_positive(**{SETTING_NAMES.get(name, name): chosen[name] for name in POSITIVE})
    if given.get("min_rounds") is None:
        # A default must not contradict a smaller number of rounds that was asked for.
        chosen["min_rounds"] = min(chosen["min_rounds"], chosen["max_rounds"])
    elif chosen["min_rounds"] > chosen["max_rounds"]:
        raise InputError(f"min_rounds: {chosen['min_rounds']} is more than max_rounds, {chosen['max_rounds']}")
    if chosen["trainable"] == "all":
        without = [name for name in ADAPTER if name in given] + ["bisect"] * bool(given.get("bisect"))
        if without:
            name = SETTING_NAMES.get(without[0], without[0])
            raise InputError(f"{name}: {given[without[0]]} has no effect with trainable: all; give trainable: adapter")
        chosen["bisect"] = False
    if schedule == "released" and chosen["hardening_weight"]:
        raise InputError(
            f"hardening_weight: {chosen['hardening_weight']} needs forget and retain images in one step; with schedule:"
            " released it is 0"
        )
    return Recipe(goal=goal, schedule=schedule, **chosen)
