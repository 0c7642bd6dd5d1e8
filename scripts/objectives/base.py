"""The two interfaces of this room, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from scripts.errors import InputError

SEGMENTATION, CLASSIFICATION = "segmentation", "classification"


@dataclass(frozen=True)
class ForgetBatch:
    """What a forget objective may know about a batch of N forget images, besides the student's logits.

    Attributes:
        label: (N, 1, ...) in {0, 1} for segmentation, (N,) class indices for classification; None where unknown.
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
    """A loss with a name and the tasks it is defined for."""

    name: str
    tasks: tuple[str, ...] = (SEGMENTATION, CLASSIFICATION)

    def __init__(self, *, task: str) -> None:
        if task not in self.tasks:
            raise InputError(f"objective {self.name!r} is not defined for {task!r}; it is for {', '.join(self.tasks)}")
        self.task = task

    def prepare(self, logits: torch.Tensor) -> torch.Tensor:
        """`logits` in float32, checked: (N, 1, H, W[, D]) for segmentation, (N, C) for classification."""
        if self.task == SEGMENTATION and (logits.ndim < 4 or logits.shape[1] != 1):
            raise InputError(
                f"objective {self.name!r}: segmentation needs logits (N, 1, H, W[, D]), one structure "
                f"against background; got {tuple(logits.shape)}"
            )
        if self.task == CLASSIFICATION and (logits.ndim != 2 or logits.shape[1] < 2):
            raise InputError(
                f"objective {self.name!r}: classification needs logits (N, C) with C >= 2; got {tuple(logits.shape)}"
            )
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
