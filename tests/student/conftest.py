"""Small networks with BatchNorm whose buffers are not at their defaults, and a way to move an adapter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.networks.nets import BasicUNet, SegResNet, UNet, resnet18
from scripts.student.adapter import AdapterStudent
from torch import nn

SMALL = {"channels": (4, 8, 16), "strides": (2, 2), "norm": "batch", "dropout": 0.2}


def _build(name: str) -> tuple[nn.Module, torch.Tensor]:
    if name == "unet-2d-transposed":
        return UNet(2, 1, 1, num_res_units=0, **SMALL), torch.randn(2, 1, 32, 32)
    if name == "unet-2d-residual":
        return UNet(2, 3, 1, num_res_units=2, **SMALL), torch.randn(2, 3, 32, 32)
    if name == "unet-3d-transposed":
        return UNet(3, 1, 1, num_res_units=0, **SMALL), torch.randn(2, 1, 16, 16, 16)
    if name == "segresnet-3d":
        return SegResNet(3, 4, 1, 1, norm="batch", blocks_down=(1, 1), blocks_up=(1,)), torch.randn(2, 1, 16, 16, 16)
    if name == "basic-unet-2d":
        return BasicUNet(2, 1, 1, (4, 4, 8, 8, 8, 4), norm="batch"), torch.randn(2, 1, 32, 32)
    if name == "resnet-2d":
        return resnet18(spatial_dims=2, n_input_channels=3, num_classes=3), torch.randn(2, 3, 64, 64)
    raise KeyError(name)


@pytest.fixture
def build() -> Callable[[str], tuple[nn.Module, torch.Tensor]]:
    """name -> (network in eval with lived-in BatchNorm buffers, sample)."""

    def make(name: str) -> tuple[nn.Module, torch.Tensor]:
        torch.manual_seed(7)
        network, sample = _build(name)
        network.train()
        with torch.no_grad():
            for _ in range(3):
                network(torch.randn_like(sample) * 2 + 0.5)
        return network.eval(), sample

    return make


@pytest.fixture
def attach() -> Callable[..., AdapterStudent]:
    """A student with defaults that tests may override."""

    def make(network: nn.Module, sample: torch.Tensor, **settings) -> AdapterStudent:
        values = {"scope": "all", "rank": 4, "alpha": 8.0, "dropout": 0.1, "seed": 0} | settings
        return AdapterStudent.attach(network, sample=sample, **values)

    return make


@pytest.fixture
def move() -> Callable[[AdapterStudent], None]:
    """Give the adapter values by which it clearly changes the output."""

    def shift(student: AdapterStudent, *, size: float = 0.05) -> None:
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in student.trainable():
                parameter.add_(size * torch.randn(parameter.shape, generator=generator))

    return shift
