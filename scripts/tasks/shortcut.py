"""MONAI's ResNet encoders in a form that TorchScript takes, so that `ckpt_export` works on networks built on them."""

from __future__ import annotations

import functools

import torch
from torch import nn


class PooledShortcut(nn.Module):
    """Parameter-free shortcut of a ResNet (type A): every `stride`-th pixel, and zeros for the channels to come.

    The same numbers as MONAI's function, which stands in the network as a `functools.partial`.
    """

    def __init__(self, *, planes: int, stride: int, spatial_dims: int) -> None:
        super().__init__()
        self.planes = planes
        pool = nn.AvgPool2d if spatial_dims == 2 else nn.AvgPool3d
        self.pool = pool(kernel_size=1, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, ...) to (N, planes, ...), each axis `stride` times shorter."""
        kept = self.pool(x)
        missing = [kept.shape[0], self.planes - kept.shape[1]] + list(kept.shape[2:])
        return torch.cat([kept, torch.zeros(missing, dtype=kept.dtype, device=kept.device)], dim=1)


def scriptable(network: nn.Module) -> nn.Module:
    """Put a `PooledShortcut` wherever `network` has a shortcut that is no module; changed in place and returned.

    Outputs and state dict stay what they were. Other networks pass through untouched.
    """
    for module in network.modules():
        shortcut = getattr(module, "downsample", None)
        if isinstance(shortcut, functools.partial):
            wanted = {key: shortcut.keywords[key] for key in ("planes", "stride", "spatial_dims")}
            module.downsample = PooledShortcut(**wanted)
    return network
