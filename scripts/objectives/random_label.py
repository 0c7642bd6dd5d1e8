"""Random target: another class, or a blob that has nothing to do with the image (SalUn's forget term, 2310.12508)."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive
from scripts.objectives.draws import drawn_targets


class RandomLabel(ForgetObjective):
    """Classification: cross-entropy to a class drawn from the other C - 1. Segmentation: BCE to a random mask, the
    highest part of a smooth random field, as large as the true mask: a plausible structure in a place that says
    nothing about the image. (Labels of other images would move one patient's anatomy into another's target.)
    """

    name = "random_label"

    def __init__(self, *, task: str, seed: int = 0, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.seed = int(seed)
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def target(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        """The drawn labels, shaped as the true ones, on the logits' device."""
        outputs = logits.shape[1]

        def draw(one: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return self.task.random_target(one, outputs=outputs, generator=generator)

        label = self.need(batch.label, "the true labels")
        return drawn_targets(label, batch, seed=self.seed, draw=draw).to(logits.device)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        return self.weight * self.task.fit(logits, self.target(logits, batch))
