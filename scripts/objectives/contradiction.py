"""Away from the teacher's answers: the max step of SCRUB (Kurmanji et al., arXiv 2302.09880)."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Contradiction(ForgetObjective):
    """-weight times the task's `distil` from the teacher at temperature T. It has no end: the min steps hold it."""

    name = "contradiction"

    def __init__(self, *, task: str, temperature: float = 2.0, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.temperature = positive(temperature, "temperature")
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        teacher = self.need(batch.teacher_logits, "the teacher's logits")
        return -self.weight * self.task.distil(self.prepare(logits), teacher, temperature=self.temperature)
