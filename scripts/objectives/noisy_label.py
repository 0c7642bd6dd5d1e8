"""Noisy target: the true label with the kind of error that another rater makes."""

from __future__ import annotations

import torch
from scripts.objectives.base import ForgetBatch, ForgetObjective, positive, share
from scripts.objectives.draws import drawn_targets


class NoisyLabel(ForgetObjective):
    """Segmentation: BCE to a mask whose boundary is moved along its normal by a smooth random field of s.d.
    `displacement` pixels, outwards here, inwards there; pixels far from the boundary keep their label.
    Classification: cross-entropy to a label that is replaced by another class with probability `flip`.
    """

    name = "noisy_label"

    def __init__(
        self, *, task: str, displacement: float = 3.0, flip: float = 0.5, seed: int = 0, weight: float | None = None
    ) -> None:
        super().__init__(task=task)
        self.displacement = positive(displacement, "displacement")
        self.flip = share(flip, "flip")
        self.seed = int(seed)
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def target(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        """The noisy labels, shaped as the true ones, on the logits' device."""
        own = {"outputs": logits.shape[1], "displacement": self.displacement, "flip": self.flip}

        def draw(one: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return self.task.noisy_target(one, **own, generator=generator)

        label = self.need(batch.label, "the true labels")
        return drawn_targets(label, batch, seed=self.seed, draw=draw).to(logits.device)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        return self.weight * self.task.fit(logits, self.target(logits, batch))
