"""Layers as before any training."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn


def reinitialised(network: nn.Module, *, seed: int, names: Collection[str] | None = None) -> nn.Module:
    """Give layers the values that torch gives to new ones, in place; statistics of BatchNorm as well.

    Args:
        seed: of the values; the global generators stay as they are.
        names: of the layers; None: every one. What has no way to begin anew keeps its values.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in network.named_modules():
            if (names is None or name in names) and callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return network
