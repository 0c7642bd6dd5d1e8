"""Uniform target: the model is to know nothing about the forget images."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive


class Entropy(ForgetObjective):
    """Segmentation: weight * mean BCE(z, 1/2), weight 1. Classification: weight * KL(uniform || softmax(z)), weight 3.

    The classification constant is that of the released code (arXiv 2511.16574). The least value is weight * log 2
    for segmentation and 0 for classification.
    """

    name = "entropy"

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        default = 1.0 if task == SEGMENTATION else 3.0
        self.weight = default if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        if self.task == SEGMENTATION:
            half = torch.full_like(logits, 0.5)
            return self.weight * functional.binary_cross_entropy_with_logits(logits, half)
        divergence = -functional.log_softmax(logits, dim=1).mean(1) - math.log(logits.shape[1])
        return self.weight * divergence.mean()
