"""Pruned weights: the smallest are set to zero."""

from __future__ import annotations

import torch
from scripts.attacks.layers import weights
from scripts.student.teacher import clone
from torch import nn


class Pruned:
    """The share of all weights that is smallest in magnitude becomes zero, over all layers together."""

    def __init__(self, share: float) -> None:
        self.share = float(share)

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> nn.Module:
        changed = clone(network)
        found = [weight for weight, _ in weights(changed)]
        sizes = torch.cat([weight.abs().flatten() for weight in found])
        count = round(self.share * len(sizes))
        if count:
            bound = sizes.kthvalue(count).values
            for weight in found:
                weight[weight.abs() <= bound] = 0
        return changed
