"""The released retain loss: truth, soft targets and closeness of logits together (Erase to Retain, 2511.16574)."""

from __future__ import annotations

import torch
from scripts.objectives.base import RetainObjective, positive
from scripts.objectives.supervised import supervised_loss
from torch.nn import functional

DISTILLATION, CLOSENESS = 1.0, 0.05  # as released


class SupervisedDistillation(RetainObjective):
    """supervised_weight * supervised loss + distillation_weight * distillation at T + closeness * mean((z - z_T)^2).

    Segmentation: Dice + BCE; classification: cross-entropy. Images without label (the guard set) are distilled only.
    Released: T = 2, distillation_weight 1, closeness .05, and a supervised_weight of 1, which goes on training on
    retain, past the teacher.
    """

    name = "supervised_distillation"

    def __init__(
        self,
        *,
        task: str,
        temperature: float = 2.0,
        supervised_weight: float = 1.0,
        distillation_weight: float = DISTILLATION,
        closeness: float = CLOSENESS,
    ) -> None:
        super().__init__(task=task)
        self.distillation_weight = positive(distillation_weight, "distillation_weight")
        self.closeness = float(closeness)
        self.supervised_weight = positive(supervised_weight, "supervised_weight")
        self.temperature = positive(temperature, "temperature")
        self.supervised = supervised_loss(task)

    def __call__(
        self, logits: torch.Tensor, teacher_logits: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        logits = self.prepare(logits)
        teacher = self.need(teacher_logits, "the teacher's logits").detach().float()
        soft = self.task.distil(logits, teacher, temperature=self.temperature)
        loss = self.distillation_weight * soft
        if self.closeness:
            loss = loss + self.closeness * functional.mse_loss(logits, teacher)
        return loss if label is None else loss + self.supervised_weight * self.supervised(logits, label)
