"""Segmentations whose structures are judged independently: one logit a structure and pixel, log(p / (1 - p))."""

from __future__ import annotations

from functools import cached_property

import torch
from scripts.errors import InputError
from scripts.tasks.masks import Masks, mean_over_parts
from scripts.tasks.overlap import boundary_band
from torch.nn import functional

SMOOTH = 1.0  # pixels, in both halves of the Dice fraction: an empty mask costs what its false pixels are worth
CEILING = 1.0  # Dice + BCE of a mask that is about half right


class SigmoidMasks(Masks):
    """Logits and labels (N, S, ...), labels in {0, 1}."""

    exclusive = False

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.sigmoid()

    def mean_of(self, logits: torch.Tensor) -> torch.Tensor:
        # In logarithms: a probability that rounds to 1 would have no logit. The number of members cancels.
        return functional.logsigmoid(logits).logsumexp(0) - functional.logsigmoid(-logits).logsumexp(0)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return (logits.float() > 0).float()

    def structures(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.float().sigmoid()

    def truth(self, label: torch.Tensor, *, structures: int) -> torch.Tensor:
        return label > 0.5

    @cached_property
    def _dice(self) -> torch.nn.Module:
        from monai.losses import DiceLoss

        return DiceLoss(sigmoid=True, batch=False, reduction="none", smooth_nr=SMOOTH, smooth_dr=SMOOTH)

    def loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Dice(sigma(z), y) + mean BCE(z, y), both of each image, means over structures."""
        if problem := self.problem(logits):
            raise InputError(problem)
        logits, label = logits.float(), label.float()
        overlap = self._dice(logits, label).flatten(1).mean(1)
        cross_entropy = functional.binary_cross_entropy_with_logits(logits, label, reduction="none").flatten(1).mean(1)
        return overlap + cross_entropy

    def ceiling(self, logits: torch.Tensor) -> float:
        return CEILING

    def distil(self, logits: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """T^2 * mean BCE(z / T, sigma(z_T / T)); its least value is T^2 times the teacher's entropy, not 0."""
        soft = torch.sigmoid(teacher.detach().float() / temperature)
        return temperature**2 * functional.binary_cross_entropy_with_logits(logits.float() / temperature, soft)

    def fit(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(logits, target)

    def uniform(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean BCE(z, 1/2); its least value is log 2."""
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.5))

    def void(self, logits: torch.Tensor) -> torch.Tensor:
        return functional.softplus(logits).sum(1, keepdim=True)

    def presence(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.sigmoid().amax(1, keepdim=True)

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Mean of clip(log(q/(1-q)), -8, 8), q the probability of the true label: averaged over foreground,
        background and boundary band of a structure, over those of the three that are not empty, over structures."""
        truth = label > 0.5
        odds = torch.where(truth, logits.float(), -logits.float())
        found = []
        for k in range(logits.shape[1]):
            own = truth[:, k : k + 1]
            parts = [own, ~own, boundary_band(own.float())]
            found.append(mean_over_parts(odds[:, k : k + 1], parts))
        return torch.stack(found).mean(0)
