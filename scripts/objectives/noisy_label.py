"""Noisy target: the true label with the kind of error that another rater makes."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from scripts.errors import InputError
from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive, share
from scripts.objectives.draws import another_class, generators, smooth_field, with_others

NODES = 6  # of the displacement field


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
        label = with_others(self.need(batch.label, "the true labels").cpu(), batch)
        draws = generators(batch, count=len(label), seed=self.seed)
        if self.task == SEGMENTATION:
            drawn = [self._moved(mask[0] > 0.5, draw)[None] for mask, draw in zip(label, draws, strict=True)]
            return torch.stack(drawn[batch.before :]).float().to(logits.device)
        classes = logits.shape[1]
        if int(label.max()) >= classes or int(label.min()) < 0:
            raise InputError(f"class {int(label.max())} for {classes} outputs: allowed are 0 to {classes - 1}")
        drawn = [self._flipped(int(k), classes, g) for k, g in zip(label, draws, strict=True)]
        return torch.tensor(drawn[batch.before :], device=logits.device)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        target = self.target(logits, batch)
        if self.task == SEGMENTATION:
            return self.weight * functional.binary_cross_entropy_with_logits(logits, target)
        return self.weight * functional.cross_entropy(logits, target)

    def _moved(self, mask: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        # Drawn before anything else, so that one image's mask does not shift the draws of the next.
        shift = self.displacement * smooth_field(mask.shape, nodes=NODES, generator=generator)
        if not mask.any() or mask.all():
            return mask
        return _signed_distance(mask) < shift

    def _flipped(self, label: int, classes: int, generator: torch.Generator) -> int:
        flipped = float(torch.rand(1, generator=generator)) < self.flip
        other = another_class(label, classes=classes, generator=generator)
        return other if flipped else label


def _signed_distance(mask: torch.Tensor) -> torch.Tensor:
    """Pixels to the boundary of `mask`: positive outside, negative inside, never between -1/2 and 1/2."""
    from scipy.ndimage import distance_transform_edt

    inside = mask.numpy()
    distance = np.where(inside, 0.5 - distance_transform_edt(inside), distance_transform_edt(~inside) - 0.5)
    return torch.from_numpy(distance).float()
