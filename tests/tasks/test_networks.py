"""Networks that a config may name: logits of the right shape, and weights that follow from the seed."""

from __future__ import annotations

import pytest
import torch

from scripts.errors import InputError
from scripts.tasks import NETWORKS, build_network

SIZES = {"unet_small": 32, "unet_half": 32, "flexible_unet_resnet34": 32}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_every_network(name: str) -> None:
    network = build_network(name=name, spatial_dims=2, in_channels=3, out_channels=2, seed=0).eval()
    size = SIZES.get(name, 64)
    with torch.no_grad():
        found = network(torch.rand(1, 3, size, size))
    assert found.shape == ((1, 2, size, size) if name in SIZES else (1, 2))


def test_volumes() -> None:
    network = build_network(name="unet_half", spatial_dims=3, in_channels=1, out_channels=1).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


def test_weights_follow_from_the_seed_alone() -> None:
    settings = {"name": "unet_half", "spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    torch.manual_seed(1)
    one = build_network(**settings, seed=4).state_dict()
    drawn = torch.rand(2)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(2))  # the global generator is left as it was
    other, third = build_network(**settings, seed=4).state_dict(), build_network(**settings, seed=5).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], third[name]) for name in one)


def test_without_seed_the_global_generator_decides() -> None:
    settings = {"name": "unet_half", "spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    torch.manual_seed(1)
    one, two = (build_network(**settings).state_dict() for _ in range(2))
    assert any(not torch.equal(one[name], two[name]) for name in one)


def test_unknown_network_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"network_name: 'unet_hlf' is not one of .*\(did you mean unet_half\?\)"):
        build_network(name="unet_hlf", spatial_dims=2, in_channels=1, out_channels=1)
    with pytest.raises(InputError, match="network_name: 'zzz' is not one of [^(]*$"):
        build_network(name="zzz", spatial_dims=2, in_channels=1, out_channels=1)
