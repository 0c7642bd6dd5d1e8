"""Gradient ascent without a bound: the forget term of NegGrad+ (Kurmanji et al., arXiv 2302.09880)."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Negative(ForgetObjective):
    """-weight * mean over images of the task's supervised loss. It has no end: the retain term has to hold it."""

    name = "negative"

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        label = self.need(batch.label, "the true labels")
        return -self.weight * self.task.loss(self.prepare(logits), label).mean()
