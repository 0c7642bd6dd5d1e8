"""BatchNorm estimated anew on retain data: forgetting that lives in running statistics is undone by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.student.teacher import clone, freeze
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class ReestimatedNorm:
    """Running statistics are the mean over the given batches.

    Args:
        batches: of retain images.
    """

    def __init__(self, *, batches: Iterable[dict[str, Any]], arithmetic: Arithmetic) -> None:
        self.batches, self.arithmetic = batches, arithmetic

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> nn.Module:
        changed = clone(network)
        norms = [
            module for module in changed.modules() if isinstance(module, _BatchNorm) and module.track_running_stats
        ]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        if norms:
            for batch in self.batches:
                self.arithmetic.logits(changed, self.arithmetic.move(batch)["image"])
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return freeze(changed)
