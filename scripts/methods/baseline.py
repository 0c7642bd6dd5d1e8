"""What the methods of the field have in common: all weights of a copy of the teacher, the field's optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ignite.engine import Engine
from scripts.methods.erase_to_retain import UNLEARN
from scripts.methods.method import Context, Method
from scripts.methods.recipe import PLAIN
from scripts.student.student import Student

# SGD with momentum .9, weight decay 5e-4, rate 1e-2 and ten passes over the retain set: what SalUn and those compared
# with it publish for classifiers (arXiv 2310.12508). `run tune` finds what a data set needs.
PUBLISHED = {
    **UNLEARN,
    "trainable": "all",
    "optimizer": "sgd",
    **PLAIN["sgd"],
    "learning_rate": 1e-2,
    "lr_schedule": "constant",
    "retain_objective": "supervised",
    "retain_batch": 16,
    "retain_images": "all",
    "steps_per_round": 0,
    "max_rounds": 10,
    "min_rounds": 10,
    "stop_at": float("inf"),
    "bisect": False,
}


class Baseline(Method):
    """Begins at the teacher and takes optimiser steps in training mode, as the authors' code of these methods does.

    BatchNorm normalises by each batch, and its statistics move: with the teacher's kept, SGD at the published 1e-2
    diverges within seven steps on BreastMNIST (docs/RESULTS.md, "Methods of the field").

    Attributes:
        published: fields of a recipe in which it differs from `PUBLISHED`.
    """

    goals = ("unlearn",)
    published: ClassVar[Mapping[str, Any]] = {}

    @property
    def phases(self) -> tuple[str, ...]:
        """The head is trained with the rest."""
        return ("forget",)

    @classmethod
    def defaults(cls, *, goal: str, schedule: str, task: str, reference: str, trainable: str) -> dict[str, Any]:
        """The same for every task."""
        cls.require_whole(schedule=schedule, trainable=trainable)
        return {**PUBLISHED, **cls.published}

    def student(self, context: Context) -> Student:
        from scripts.student.whole import WholeStudent

        return WholeStudent.start(context.teacher, teacher=context.teacher, sample=context.sample, live=True)


FORGET_TERMS = ("forget_objective", "forget_weight", "forget_batch", "hardening_weight", "hardening_steps")


class RetainOnly(Baseline):
    """Opens no image of the patients: they fade while others are trained on."""

    opens_patients = False
    idle: tuple[str, ...] = FORGET_TERMS

    def looked_at(self, cohort: Any) -> tuple[Any, ...]:
        """None."""
        return ()


STEPS = (
    *("optimizer", "learning_rate", "momentum", "weight_decay", "lr_schedule", "retain_objective", "retain_weight"),
    *("supervised_weight", "retain_batch", "guard_batch", "hard_share", "steps_per_round", "max_rounds", "min_rounds"),
    *("stop_at", "tolerance"),
)


class WithoutSteps(RetainOnly):
    """Takes no optimiser step: its engine does all there is to do at once."""

    published: ClassVar[Mapping[str, Any]] = {"steps_per_round": 1, "max_rounds": 1, "min_rounds": 1}
    idle: tuple[str, ...] = (*FORGET_TERMS, *STEPS, "retain_images")

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.single_step import SingleStep

        student = parts["student"]
        return SingleStep(action=lambda: self.act(student, context), **parts)

    def act(self, student: Student, context: Context) -> None:
        """Change the student; by default it stays as it was made."""
