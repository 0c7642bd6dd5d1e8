"""Take away the structure on the forget images, and stop there: the bounded loss of `goal: suppress`."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive, share


class Foreground(ForgetObjective):
    """Acts on the foreground alone, and on an image only while it is above the bound.

    Segmentation: mean over images of on_i * mean(-log P(nothing there) over pixels that are a structure in truth or
    teacher), on_i = [hard IoU with the truth > bound].
    Classification: mean of on_i * -log(1 - p_i), p_i the probability of the true class, on_i = [p_i > bound].

    Background pixels carry no gradient: retain and guard distillation hold them. Without a truth the teacher's own
    mask or decision stands in for it.
    """

    name = "foreground"

    def __init__(self, *, task: str, bound: float = 0.4, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.bound = share(bound, "bound")
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        if batch.label is None:
            self.need(batch.teacher_logits, "true labels or the teacher's logits")
        return self.weight * self.task.suppression(logits, batch.label, batch.teacher_logits, bound=self.bound).mean()
