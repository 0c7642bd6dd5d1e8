"""Multi-class segmentation: every pixel is background or one of S structures."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from scripts.errors import InputError
from scripts.tasks.masks import Masks, mean_over_parts
from scripts.tasks.overlap import boundary_band
from torch.nn import functional


class MulticlassSegmentation(Masks):
    """Logits (N, 1 + S, ...), channel 0 background; label (N, S, ...) in {0, 1}, a mask for each structure."""

    name = "multiclass_segmentation"
    exclusive = True

    def problem(self, logits: torch.Tensor) -> str:
        if logits.ndim >= 4 and logits.shape[1] >= 2:
            return ""
        return (
            f"{self.name} needs logits (N, 1 + S, H, W[, D]), background and each structure; got {tuple(logits.shape)}"
        )

    def outputs(self, classes: int) -> int:
        return 1 + classes

    def classes(self, outputs: int) -> int:
        return outputs - 1

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.softmax(1)

    def mean_of(self, logits: torch.Tensor) -> torch.Tensor:
        # In logarithms: a probability that rounds to 1 would have no logit.
        return logits.log_softmax(2).logsumexp(0)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return _masks(logits.argmax(1), structures=logits.shape[1] - 1)

    def structures(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.float().softmax(1)[:, 1:]

    def truth(self, label: torch.Tensor, *, structures: int) -> torch.Tensor:
        # A pixel that resizing has cut in half may be of two structures: it counts for the first.
        return _masks(_indices(label), structures=structures).bool()

    @cached_property
    def _dice(self) -> torch.nn.Module:
        from monai.losses import DiceLoss

        return DiceLoss(softmax=True, include_background=False, batch=False, reduction="none", smooth_nr=1, smooth_dr=1)

    def loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Dice(softmax(z), y), mean over structures, + mean cross-entropy over pixels, both of each image."""
        if problem := self.problem(logits):
            raise InputError(problem)
        logits, classes = logits.float(), _indices(label)
        overlap = self._dice(logits, _masks(classes, structures=logits.shape[1] - 1, background=True))
        cross_entropy = functional.cross_entropy(logits, classes, reduction="none").flatten(1).mean(1)
        return overlap.flatten(1).mean(1) + cross_entropy

    def ceiling(self, logits: torch.Tensor) -> float:
        return 0.5 + math.log(logits.shape[1])

    def distil(self, logits: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """T^2 * mean over pixels of KL(softmax(z_T / T) || softmax(z / T))."""
        found, soft = (functional.log_softmax(z.float() / temperature, dim=1) for z in (logits, teacher.detach()))
        divergence = functional.kl_div(found, soft, reduction="none", log_target=True).sum(1)
        return temperature**2 * divergence.mean()

    def fit(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, _indices(target))

    def uniform(self, logits: torch.Tensor) -> torch.Tensor:
        """KL(uniform || softmax(z)), mean over pixels; its least value is 0."""
        return (-functional.log_softmax(logits, dim=1).mean(1) - math.log(logits.shape[1])).mean()

    def void(self, logits: torch.Tensor) -> torch.Tensor:
        return -functional.log_softmax(logits, dim=1)[:, :1]

    def presence(self, logits: torch.Tensor) -> torch.Tensor:
        return 1 - logits.softmax(1)[:, :1]

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Mean of clip(log(q/(1-q)), -8, 8), q the probability of the true class: averaged over each structure, the
        background and the band about all boundaries, then over those that are not empty."""
        logits, classes = logits.float(), _indices(label)[:, None]
        own = logits.gather(1, classes)
        rest = logits.scatter(1, classes, -torch.inf).logsumexp(1, keepdim=True)
        everything = _masks(classes[:, 0], structures=logits.shape[1] - 1, background=True)
        parts = [everything[:, k : k + 1] > 0.5 for k in range(everything.shape[1])]
        bands = [boundary_band(part.float()) for part in parts[1:]]
        return mean_over_parts(own - rest, [*parts, torch.stack(bands).any(0)])


def _indices(label: torch.Tensor) -> torch.Tensor:
    """Class of each pixel, (N, ...): 0 where no structure is."""
    return torch.cat([torch.full_like(label[:, :1], 0.5), label], 1).argmax(1)


def _masks(classes: torch.Tensor, *, structures: int, background: bool = False) -> torch.Tensor:
    """Masks (N, S, ...) of classes (N, ...), float32; with the background's in front where asked for."""
    known = functional.one_hot(classes, structures + 1).movedim(-1, 1).float()
    return known if background else known[:, 1:]
