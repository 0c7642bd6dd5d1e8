"""The two interfaces of this room, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scripts.errors import InputError
from scripts.tasks.registry import TASKS, build_task


@dataclass(frozen=True)
class ForgetBatch:
    """What a forget objective may know about a batch of N forget images, besides the student's logits.

    Attributes:
        label: as the task has it; None where unknown.
        teacher_logits: of the unchanged teacher, the shape of the student's; None where no objective needs them.
        reference_logits: of a model that never saw these patients, brought to the teacher's calibration already.
        generator: CPU generator of targets that are drawn anew at every call.
        sample_index: N whole numbers, one an image; where given, an image's drawn target is the same at every call.
        before: images of the same step that other processes hold; `generator` gives their targets first.
    """

    label: torch.Tensor | None = None
    teacher_logits: torch.Tensor | None = None
    reference_logits: torch.Tensor | None = None
    generator: torch.Generator | None = None
    sample_index: Sequence[int] | None = None
    before: int = 0


class Objective(ABC):
    """A loss with a name, for a task that is given by its name."""

    name: str
    needs_background = False
    needs_classes = False

    def __init__(self, *, task: str) -> None:
        self.task = build_task(task)
        if task not in self.tasks():
            raise InputError(
                f"objective {self.name!r} is not defined for {task!r}; it is for {', '.join(self.tasks())}"
            )

    @classmethod
    def tasks(cls) -> list[str]:
        """Names of the tasks it is defined for."""
        return [
            name
            for name, kind in TASKS.items()
            if (kind.background or not cls.needs_background) and (not cls.needs_classes or not kind.masks)
        ]

    def prepare(self, logits: torch.Tensor) -> torch.Tensor:
        """`logits` in float32, after making sure that they are of the task."""
        if problem := self.task.problem(logits):
            raise InputError(f"objective {self.name!r}: {problem}")
        return logits.float()

    def need(self, value: torch.Tensor | None, what: str) -> torch.Tensor:
        """`value`, or a clear word on what is missing."""
        if value is None:
            raise InputError(f"objective {self.name!r} needs {what}, which this batch does not carry")
        return value


class ForgetObjective(Objective):
    """A loss on forget images; lower is more forgotten."""

    @abstractmethod
    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        """Scalar, float32."""


class RetainObjective(Objective):
    """A loss on retain and guard images; lower is better kept."""

    @abstractmethod
    def __call__(
        self, logits: torch.Tensor, teacher_logits: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Scalar, float32."""


def positive(value: float, name: str) -> float:
    """A setting that must be a number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{name} {value!r}: a number above 0 is needed")
    return float(value)


def share(value: float, name: str) -> float:
    """A setting that must lie in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name} {value!r}: a number in [0, 1] is needed")
    return float(value)
