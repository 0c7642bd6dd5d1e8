"""The logits of a model that never saw the images, as they are: Oracle Matching (arXiv 2410.23232)."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive
from torch.nn import functional


class Matching(ForgetObjective):
    """weight * mean((z - z_ref)^2), z_ref of the model that stands in for the oracle."""

    name = "matching"

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        reference = self.need(batch.reference_logits, "a reference model's logits")
        return self.weight * functional.mse_loss(self.prepare(logits), reference.float())
