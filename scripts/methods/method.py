"""The signature that every method of forgetting has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from ignite.engine import Engine
from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.alternating import AlternatingLoader
from scripts.data.joint import JointLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.methods.recipe import OWN, SETTING_NAMES, Recipe, build_recipe
from scripts.student.student import Student
from scripts.tasks.registry import build_task
from scripts.tasks.task import Task
from torch import nn


@dataclass(frozen=True)
class Context:
    """What a method may start from.

    Attributes:
        teacher: frozen, on its device.
        member: fold -> the member of the pool that was trained without that fold's patients, frozen, on its device.
        retrained: trains a network without the forget set, as the teacher was trained; the file of its weights.
        cohort: the sets of patients.
        loaders: of that cohort.
        task: what the network answers.
        arithmetic: device and precision.
        sample: an input of the usual size, (1, C, H, W[, D]); its values do not matter.
        seed: of what is drawn.
    """

    teacher: nn.Module
    member: Callable[[int], nn.Module]
    retrained: Callable[[], Path]
    cohort: Cohort
    loaders: CohortLoaders
    task: Task
    arithmetic: Arithmetic
    sample: torch.Tensor
    seed: int


class Target(Protocol):
    """What the forget images are drawn towards."""

    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Logits for the images of a batch, on their device."""


class Method(ABC):
    """Makes a student, and the engine that trains it.

    Attributes:
        name: its name in configs.
        goals: what it can be asked for.
        can_be_exact: whether it can do without the teacher's answers and without the patients' images.
        is_exact: whether it always does.
        opens_patients: whether it opens images of patients of whom one member of the pool is clean.
        own: fields of a recipe that this method has beside those of all.
        idle: fields of a recipe that have no effect; given ones are refused.
        only_classes: whether it is for classification alone.
        own_target: whether it makes its own target, see `target`; else a recipe that asks for one gets the pool's.
        objective_settings: settings of its losses that no recipe has.
        passes: sets over which a round passes, one after another.
        needs: what must be there before a step is taken; `pool` stands for the members of the request's folds.
    """

    name: str
    goals: tuple[str, ...]
    needs: tuple[str, ...] = ()
    can_be_exact = False
    is_exact = False
    opens_patients = True
    own: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    only_classes = False
    own_target = False
    objective_settings: Mapping[str, Any] = {}

    @property
    def passes(self) -> tuple[str, ...]:
        """None: a step draws from all sets."""
        return ()

    @property
    @abstractmethod
    def phases(self) -> tuple[str, ...]:
        """The workflows that make its student, in order."""

    @classmethod
    @abstractmethod
    def defaults(cls, *, goal: str, schedule: str, task: str, reference: str, trainable: str) -> dict[str, Any]:
        """Every field of a recipe, as the method takes it where a config leaves it open.

        Args:
            trainable: as a config gives it; empty where it is left open.
        """

    def __init__(
        self, *, goal: str, schedule: str, task: str, reference: str, given: Mapping[str, Any], exact: bool = False
    ) -> None:
        self.exact = exact
        if exact and not self.can_be_exact:
            raise InputError(f"exact: true is not possible with method: {self.name}; it is for fold_start")
        if goal not in self.goals:
            raise InputError(f"method: '{self.name}' is for goal: {' or '.join(self.goals)}, not {goal}")
        if self.only_classes and build_task(task).masks:
            raise InputError(f"method: '{self.name}' is for classification, not for task: {task}")
        for name in (*self.idle, *(one for one in OWN if one not in self.own)):
            if given.get(name) is not None:
                setting = SETTING_NAMES.get(name, name)
                raise InputError(f"{setting}: {given[name]} has no effect with method: {self.name}")
        trainable = given.get("trainable") or ""
        defaults = self.defaults(goal=goal, schedule=schedule, task=task, reference=reference, trainable=trainable)
        self.recipe: Recipe = build_recipe(goal=goal, schedule=schedule, defaults=defaults, **given)

    @classmethod
    def require_whole(cls, *, schedule: str, trainable: str) -> None:
        """Refuse what a method does not know that trains all weights in joint steps.

        Raises:
            InputError: another schedule, or an adapter.
        """
        if schedule != "joint":
            raise InputError(f"method: '{cls.name}' has no schedule: {schedule}; give schedule: joint")
        if trainable == "adapter":
            raise InputError(f"method: '{cls.name}' trains all weights; trainable: adapter is for erase_to_retain")

    def check(self, cohort: Cohort) -> None:  # noqa: B027, a method may have nothing to refuse
        """Refuse, before a step is taken, a request that the method cannot serve.

        Raises:
            InputError: names what is missing.
        """

    def problem(self, cohort: Cohort, pool: Path) -> str:
        """Why `method: auto` should not answer this request by it, in words that name no patient; empty where it may.

        Args:
            pool: folder of the fold teachers.
        """
        return ""

    def looked_at(self, cohort: Cohort) -> tuple[Record, ...]:
        """The records of the forget set whose images the method opens."""
        return cohort.forget

    def as_settings(self) -> dict[str, Any]:
        """Its name and recipe as a config would give them: every setting that has an effect."""
        idle = {SETTING_NAMES.get(name, name) for name in self.idle}
        own = {name: value for name, value in self.recipe.as_settings().items() if name not in idle}
        return {"method": self.name, **own}

    def target(self, context: Context) -> Target | None:
        """What the forget images are drawn towards, where the method makes that itself."""
        return None

    @abstractmethod
    def student(self, context: Context) -> Student:
        """The student before its first step."""

    def batches(self, loaders: CohortLoaders, forget: Sequence[Record]) -> JointLoader | AlternatingLoader:
        """What a round draws.

        Args:
            forget: the forget records that are drawn from; where that is not all of them, no other one is opened.
        """
        recipe = self.recipe
        loaders.look_at(forget)
        if self.passes:
            return loaders.alternating(self.passes, forget=recipe.forget_batch, retain=recipe.retain_batch)
        return loaders.joint(
            forget=recipe.forget_batch if forget else 0,
            retain=recipe.retain_batch,
            guard=recipe.guard_batch,
            steps=recipe.steps_per_round,
            hard_share=recipe.hard_share,
        )

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        """The engine of the forgetting phase; see `ForgetTrainer` for its parts."""
        from scripts.engines.forget import ForgetTrainer

        return ForgetTrainer(**parts)
