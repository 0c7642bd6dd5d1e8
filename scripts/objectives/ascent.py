"""Gradient ascent that stops: raises the supervised loss up to a bound and no further."""

from __future__ import annotations

import math

import torch

from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive
from scripts.objectives.supervised import supervised_per_image

SEGMENTATION_BOUND = 1.0  # Dice + BCE of a mask that is about half right


class Ascent(ForgetObjective):
    """weight * mean over images of ReLU(loss_bound - L_i), L_i the task's supervised loss of image i.

    `loss_bound` without a value is 1 for segmentation and log C, the loss of a guess, for C classes. The bound holds
    for each image, so that one badly forgotten image cannot pay for the others.
    """

    name = "ascent"

    def __init__(self, *, task: str, loss_bound: float | None = None, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.loss_bound = None if loss_bound is None else positive(loss_bound, "loss_bound")
        self.weight = 1.0 if weight is None else positive(weight, "weight")
        self.loss = supervised_per_image(task)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        label = self.need(batch.label, "the true labels")
        bound = self.loss_bound
        if bound is None:
            bound = SEGMENTATION_BOUND if self.task == SEGMENTATION else math.log(logits.shape[1])
        return self.weight * torch.relu(bound - self.loss(logits, label)).mean()
