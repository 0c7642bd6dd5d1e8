"""Rounded weights: what hides in small weights may come back, or show, when they are rounded."""

from __future__ import annotations

import torch
from scripts.attacks.layers import weights
from scripts.student.teacher import clone
from torch import nn


class Quantised:
    """Every weight to the nearest of 2^bits - 1 levels, symmetric, per output channel; simulated in float32."""

    def __init__(self, bits: int) -> None:
        self.bits = int(bits)

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> nn.Module:
        changed = clone(network)
        levels = 2 ** (self.bits - 1) - 1
        for weight, axis in weights(changed):
            others = [i for i in range(weight.ndim) if i != axis]
            step = (weight.abs().amax(others, keepdim=True) / levels).clamp(min=torch.finfo(weight.dtype).tiny)
            weight.copy_((weight / step).round() * step)
        return changed
