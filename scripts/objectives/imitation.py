"""Imitation of what models that never saw these patients predict for them; the default of `goal: unlearn`."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive


class Imitation(ForgetObjective):
    """Segmentation: weight * mean BCE(z, sigma(z_ref)). Classification: weight * KL(softmax(z_ref) || softmax(z)).

    z_ref comes in the teacher's calibration already: models of other seeds differ in confidence by a third.
    """

    name = "imitation"

    def __init__(self, *, task: str, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        reference = self.need(batch.reference_logits, "a reference model's logits")
        return self.weight * self.task.distil(logits, reference)
