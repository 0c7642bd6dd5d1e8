"""Random target: another class, or a blob that has nothing to do with the image (SalUn's forget term, 2310.12508)."""

from __future__ import annotations

import torch
from torch.nn import functional

from scripts.errors import InputError
from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive
from scripts.objectives.draws import another_class, generators, smooth_field, with_others

NODES = 6  # of the field that is cut into a blob


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
        label = with_others(self.need(batch.label, "the true labels").cpu(), batch)
        draws = generators(batch, count=len(label), seed=self.seed)
        if self.task == SEGMENTATION:
            drawn = [_blob(mask[0] > 0.5, draw)[None] for mask, draw in zip(label, draws, strict=True)]
            return torch.stack(drawn[batch.before :]).float().to(logits.device)
        classes = logits.shape[1]
        if int(label.max()) >= classes or int(label.min()) < 0:
            raise InputError(f"class {int(label.max())} for {classes} outputs: allowed are 0 to {classes - 1}")
        drawn = [another_class(int(k), classes=classes, generator=g) for k, g in zip(label, draws, strict=True)]
        return torch.tensor(drawn[batch.before :], device=logits.device)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        target = self.target(logits, batch)
        if self.task == SEGMENTATION:
            return self.weight * functional.binary_cross_entropy_with_logits(logits, target)
        return self.weight * functional.cross_entropy(logits, target)


def _blob(mask: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    field = smooth_field(mask.shape, nodes=NODES, generator=generator)
    blob = torch.zeros(mask.numel(), dtype=torch.bool)
    blob[field.flatten().argsort(descending=True)[: int(mask.sum())]] = True
    return blob.view(mask.shape)
