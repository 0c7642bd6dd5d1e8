"""The signature that every method of forgetting has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from scripts.cohort.cohort import Cohort, Record
from scripts.errors import InputError
from scripts.methods.recipe import Recipe, build_recipe
from scripts.student.student import Student
from torch import nn


@dataclass(frozen=True)
class Context:
    """What a method may start from.

    Attributes:
        teacher: frozen, on its device.
        member: fold -> the member of the pool that was trained without that fold's patients, frozen, on its device.
        cohort: the sets of patients.
        sample: an input of the usual size, (1, C, H, W[, D]); its values do not matter.
        seed: of what is drawn.
    """

    teacher: nn.Module
    member: Callable[[int], nn.Module]
    cohort: Cohort
    sample: torch.Tensor
    seed: int


class Method(ABC):
    """Makes a student, and the engine that trains it.

    Attributes:
        name: its name in configs.
        goals: what it can be asked for.
        can_be_exact: whether it can do without the teacher's answers and without the patients' images.
        opens_patients: whether it opens images of patients of whom one member of the pool is clean.
        needs: what must be there before a step is taken; `pool` stands for the members of the request's folds.
    """

    name: str
    goals: tuple[str, ...]
    needs: tuple[str, ...] = ()
    can_be_exact = False
    opens_patients = True

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
        trainable = given.get("trainable") or ""
        defaults = self.defaults(goal=goal, schedule=schedule, task=task, reference=reference, trainable=trainable)
        self.recipe: Recipe = build_recipe(goal=goal, schedule=schedule, defaults=defaults, **given)

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

    @abstractmethod
    def student(self, context: Context) -> Student:
        """The student before its first step."""

    def engine(self, **parts: Any) -> Engine:
        """The engine of the forgetting phase; see `ForgetTrainer` for its parts."""
        from scripts.engines.forget import ForgetTrainer

        return ForgetTrainer(**parts)
