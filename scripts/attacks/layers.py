"""The weights that attacks change."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


def weights(network: nn.Module) -> Iterator[tuple[torch.Tensor, int]]:
    """Weight of every convolution and linear layer, and its axis of output channels."""
    for module in network.modules():
        if isinstance(module, (_ConvNd, nn.Linear)):
            yield module.weight, 1 if isinstance(module, _ConvTransposeNd) else 0
