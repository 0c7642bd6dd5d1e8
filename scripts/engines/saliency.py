"""Which weights a method may move: those with the largest gradient of the forget loss (SalUn, arXiv 2310.12508)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Saliency:
    """The salient weights of a network; all others are put back after every step.

    Args:
        parameters: what is trained, as it stands before the first step.
        gradients: of the forget loss, summed with their signs over the forget set.
        share: of all weights that are salient, 0 to 1; ranked over the whole network by magnitude.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], gradients: Sequence[torch.Tensor], *, share: float) -> None:
        self.parameters = list(parameters)
        self.kept = [parameter.detach().clone() for parameter in parameters]
        sizes = [gradient.numel() for gradient in gradients]
        magnitudes = torch.cat([gradient.abs().flatten() for gradient in gradients])
        count = round(share * len(magnitudes))
        chosen = torch.zeros_like(magnitudes, dtype=torch.bool)
        chosen[magnitudes.topk(count).indices] = True
        self.masks = [own.reshape(gradient.shape) for own, gradient in zip(chosen.split(sizes), gradients, strict=True)]

    @property
    def share(self) -> float:
        """Share of the weights that are salient."""
        return sum(int(mask.sum()) for mask in self.masks) / sum(mask.numel() for mask in self.masks)

    @torch.no_grad()
    def hold(self, optimizer: torch.optim.Optimizer) -> None:
        """Put every other weight back, bit for bit, and forget what the optimiser has gathered for it.

        Weight decay and momentum would move a weight whose gradient is zero.
        """
        for parameter, before, mask in zip(self.parameters, self.kept, self.masks, strict=True):
            parameter.copy_(torch.where(mask, parameter, before))
            for value in optimizer.state.get(parameter, {}).values():
                if torch.is_tensor(value) and value.shape == parameter.shape:
                    value.mul_(mask)
