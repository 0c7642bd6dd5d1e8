"""Stay what the teacher was: soft targets at temperature T; needs no label."""

from __future__ import annotations

import torch
from scripts.objectives.base import RetainObjective, positive


class Distillation(RetainObjective):
    """The task's `distil` alone."""

    name = "distillation"

    def __init__(self, *, task: str, temperature: float = 2.0) -> None:
        super().__init__(task=task)
        self.temperature = positive(temperature, "temperature")

    def __call__(
        self, logits: torch.Tensor, teacher_logits: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        teacher = self.need(teacher_logits, "the teacher's logits")
        return self.task.distil(self.prepare(logits), teacher, temperature=self.temperature)
