"""A BatchNorm that nothing trains: the same values and gradients, without keeping its input."""

from __future__ import annotations

import pytest
import torch
from scripts.student.frozen_norm import FrozenBatchNorm, freeze_norms, unfreeze_norms
from torch import nn

KINDS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def norm(axes: int, *, affine: bool = True) -> nn.Module:
    torch.manual_seed(0)
    made = KINDS[axes](4, affine=affine)
    for _ in range(3):
        made(torch.randn(5, 4, *(3,) * axes) * 3 + 1)
    if affine:
        nn.init.normal_(made.weight)
        nn.init.normal_(made.bias)
    return made.eval().requires_grad_(False)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("axes", KINDS)
def test_values_and_gradients_are_those_of_batch_norm_in_eval(axes: int, affine: bool) -> None:
    plain = norm(axes, affine=affine)
    frozen = FrozenBatchNorm(plain)
    image = torch.randn(2, 4, *(3,) * axes)
    found, expected = image.clone().requires_grad_(), image.clone().requires_grad_()
    weights = torch.randn_like(image)
    (frozen(found) * weights).sum().backward()
    (plain(expected) * weights).sum().backward()
    assert torch.equal(frozen(image), plain(image))
    torch.testing.assert_close(found.grad, expected.grad)


def test_in_half_precision_the_gradient_keeps_the_precision_of_its_input() -> None:
    plain = norm(2)
    image = torch.randn(2, 4, 8, 8).to(memory_format=torch.channels_last).bfloat16()
    found, expected = image.clone().requires_grad_(), image.clone().requires_grad_()
    FrozenBatchNorm(plain)(found).square().sum().backward()
    plain(expected).square().sum().backward()
    assert found.grad.dtype == torch.bfloat16
    torch.testing.assert_close(found.grad, expected.grad, rtol=0.02, atol=0.02)


def kept(module: nn.Module) -> int:
    """Values that a forward pass keeps for the backward pass."""
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda x: x):
        module(torch.randn(2, 4, 16, 16, requires_grad=True))
    return sum(sizes)


def test_the_input_is_not_kept() -> None:
    plain = norm(2)
    assert kept(FrozenBatchNorm(plain)) == 8 < kept(plain)


def test_layers_without_stored_statistics_stay_and_all_come_back() -> None:
    network = nn.Sequential(norm(2), nn.Sequential(nn.BatchNorm2d(4, track_running_stats=False)))
    layers = list(network.modules())
    freeze_norms(network)
    assert isinstance(network[0], FrozenBatchNorm) and network[1][0] is layers[3]
    unfreeze_norms(network)
    assert list(network.modules()) == layers
