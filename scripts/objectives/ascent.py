"""Gradient ascent that stops: raises the supervised loss up to a bound and no further."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Ascent(ForgetObjective):
    """weight * mean over images of ReLU(loss_bound - L_i), L_i the task's supervised loss of image i.

    `loss_bound` without a value is the task's `ceiling`, the loss of a guess: 1 for a mask, log C for C classes. The
    bound holds for each image, so that one badly forgotten image cannot pay for the others.
    """

    name = "ascent"

    def __init__(self, *, task: str, loss_bound: float | None = None, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.loss_bound = None if loss_bound is None else positive(loss_bound, "loss_bound")
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        label = self.need(batch.label, "the true labels")
        bound = self.task.ceiling(logits) if self.loss_bound is None else self.loss_bound
        return self.weight * torch.relu(bound - self.task.loss(logits, label)).mean()
