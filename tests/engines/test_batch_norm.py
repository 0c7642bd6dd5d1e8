"""BatchNorm of several processes is torch's between GPUs, and refused where torch has none."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet
from scripts import processes
from scripts.engines.batch_norm import synchronised
from scripts.errors import InputError
from torch import nn

GPU, CPU = torch.device("cuda"), torch.device("cpu")


def network(norm: str) -> nn.Module:
    return UNet(spatial_dims=2, in_channels=1, out_channels=1, channels=(2, 4), strides=(2,), norm=norm)


def layers(found: nn.Module) -> list[nn.Module]:
    return [module for module in found.modules() if "BatchNorm" in type(module).__name__]


def test_of_one_process_nothing_changes() -> None:
    made = network("batch")
    before = [type(module) for module in layers(made)]
    assert before and synchronised(made, device=CPU) is made
    assert [type(module) for module in layers(made)] == before


def test_between_gpus_it_is_torchs_with_the_same_parameters_and_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "size", lambda: 2)
    made = network("batch")
    held, state = list(made.parameters()), made.state_dict()
    found = synchronised(made, device=GPU)
    assert found is made and all(isinstance(module, nn.SyncBatchNorm) for module in layers(found)) and layers(found)
    assert all(one is other for one, other in zip(held, found.parameters(), strict=True))
    assert all(torch.equal(value, state[name]) for name, value in found.state_dict().items())
    # What it made is a teacher as any other: outside training it asks for no other process.
    assert found.eval()(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)


def test_without_gpus_it_is_refused_and_other_norms_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "size", lambda: 2)
    with pytest.raises(InputError, match="device: cpu and BatchNorm in the network to train.*of 2 processes"):
        synchronised(network("batch"), device=CPU)
    made = network("instance")
    assert synchronised(made, device=CPU) is made
