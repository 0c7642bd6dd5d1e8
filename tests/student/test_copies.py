"""A network that keeps what it computed can be copied after a step."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.networks.nets import DynUNet
from scripts.student.copies import release_activations


def test_activations_are_released_and_weights_are_not_touched() -> None:
    network = DynUNet(2, 1, 1, [3, 3, 3], [1, 2, 2], [2, 2], filters=[4, 8, 8], deep_supervision=True, deep_supr_num=1)
    network.train()(torch.rand(2, 1, 32, 32)).mean().backward()
    gradients = [None if one.grad is None else one.grad.clone() for one in network.parameters()]
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(network)
    release_activations(network)
    copied = copy.deepcopy(network)
    for one, other, before in zip(network.parameters(), copied.parameters(), gradients, strict=True):
        assert torch.equal(one, other) and one.requires_grad
        assert (one.grad is None) == (before is None) and (before is None or torch.equal(one.grad, before))
