"""Uniform target: the model is to know nothing about the forget images."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Entropy(ForgetObjective):
    """weight * the task's `uniform`: mean BCE(z, 1/2), weight 1, or KL(uniform || softmax(z)), weight 3 for classes.

    The classification constant is that of the released code (arXiv 2511.16574).
    """

    name = "entropy"

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = self.task.entropy_weight if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        return self.weight * self.task.uniform(self.prepare(logits))
