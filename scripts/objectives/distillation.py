"""Stay what the teacher was: soft targets at temperature T; needs no label."""

from __future__ import annotations

import torch
from torch.nn import functional

from scripts.objectives.base import SEGMENTATION, RetainObjective, positive


def distillation(logits: torch.Tensor, teacher_logits: torch.Tensor, *, temperature: float, task: str) -> torch.Tensor:
    """Segmentation: T^2 * mean BCE(z/T, sigma(z_T/T)). Classification: T^2 * KL(softmax(z_T/T) || softmax(z/T))."""
    student, teacher = logits.float() / temperature, teacher_logits.detach().float() / temperature
    if task == SEGMENTATION:
        loss = functional.binary_cross_entropy_with_logits(student, torch.sigmoid(teacher))
    else:
        loss = functional.kl_div(
            functional.log_softmax(student, dim=1),
            functional.log_softmax(teacher, dim=1),
            reduction="batchmean",
            log_target=True,
        )
    return temperature**2 * loss


class Distillation(RetainObjective):
    """`distillation` alone; on segmentation its least value is T^2 times the teacher's entropy, not 0."""

    name = "distillation"

    def __init__(self, *, task: str, temperature: float = 2.0) -> None:
        super().__init__(task=task)
        self.temperature = positive(temperature, "temperature")

    def __call__(
        self, logits: torch.Tensor, teacher_logits: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        teacher = self.need(teacher_logits, "the teacher's logits")
        return distillation(self.prepare(logits), teacher, temperature=self.temperature, task=self.task)
