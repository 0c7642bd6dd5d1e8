"""All-background target: the released forget loss (Erase to Retain, arXiv 2511.16574)."""

from __future__ import annotations

import torch
from torch.nn import functional

from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive


class Background(ForgetObjective):
    """weight * mean(softplus(z)): every pixel to background, true masks unused.

    It pushes towards false negatives, the dangerous direction in a clinic, without end.
    """

    name = "background"
    tasks = (SEGMENTATION,)

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 3.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        return self.weight * functional.softplus(self.prepare(logits)).mean()
