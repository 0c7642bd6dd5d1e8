"""Background target that weighs the teacher's foreground more: the released foreground-weighted variant."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive

CONFIDENT = 0.3  # teacher probability from which a pixel counts as its foreground
EXTRA = 4.0


class ForegroundBackground(ForgetObjective):
    """weight * mean(w * -log(1 - p)), w = 1 + 4 * [p_T > 0.3], p of foreground (arXiv 2511.16574, released code)."""

    name = "foreground_background"
    needs_background = True

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 5.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        teacher = self.need(batch.teacher_logits, "the teacher's logits").float()
        emphasis = 1.0 + EXTRA * (self.task.presence(teacher) > CONFIDENT).float()
        return self.weight * (emphasis * self.task.void(self.prepare(logits))).mean()
