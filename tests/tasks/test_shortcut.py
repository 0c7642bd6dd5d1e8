"""A network that TorchScript takes must be the same network."""

from __future__ import annotations

import copy

import pytest
import torch
from scripts.tasks.networks import build_network
from scripts.tasks.shortcut import PooledShortcut, scriptable


def test_resnet_unet_keeps_outputs_and_keys_and_scripts() -> None:
    torch.manual_seed(0)
    plain = build_network(name="flexible_unet_resnet34", spatial_dims=2, in_channels=1, out_channels=1).eval()
    changed = scriptable(copy.deepcopy(plain))
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        expected = plain(image)
        assert torch.equal(changed(image), expected)
        assert list(changed.state_dict()) == list(plain.state_dict())
        assert torch.equal(torch.jit.script(changed)(image), expected)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_shortcut_keeps_every_second_pixel_and_adds_zeros(spatial_dims: int) -> None:
    image = torch.randn(2, 3, *[5] * spatial_dims)
    out = PooledShortcut(planes=7, stride=2, spatial_dims=spatial_dims)(image)
    assert torch.equal(out[:, :3], image[(slice(None), slice(None), *[slice(None, None, 2)] * spatial_dims)])
    assert out.shape == (2, 7, *[3] * spatial_dims) and not out[:, 3:].any()


def test_other_networks_pass_through() -> None:
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=1)
    modules = list(network.modules())
    assert scriptable(network) is network and list(network.modules()) == modules
