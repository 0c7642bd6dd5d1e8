"""All-background target: the released forget loss (Erase to Retain, arXiv 2511.16574)."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Background(ForgetObjective):
    """weight * mean(-log(1 - p)), p of foreground: every pixel to background, true masks unused.

    It pushes towards false negatives, the dangerous direction in a clinic, without end.
    """

    name = "background"
    needs_background = True

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 3.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        return self.weight * self.task.void(self.prepare(logits)).mean()
