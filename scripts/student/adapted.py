"""The network inside the student: its mode switch reaches the LoRA dropout and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

ADAPTER = "default"


class AdaptedNetwork(nn.Module):
    """Wraps a network with injected LoRA layers; called like the plain one, returns its logits.

    `train()` leaves base BatchNorm and base dropout in eval and turns on the LoRA dropout alone, so MONAI's engines,
    which switch modes by themselves, cannot move a buffer of the teacher.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.dropout_allowed = True
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.inner(image)

    def train(self, mode: bool = True) -> AdaptedNetwork:
        super().train(False)
        self.training = mode
        for _, layer in lora_layers(self.inner):
            layer.lora_dropout.train(mode and self.dropout_allowed)
        return self


def lora_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Name and module of every LoRA layer, in the network's order."""
    return [(name, module) for name, module in network.named_modules() if hasattr(module, "lora_A")]


def replace_module(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` where `name` points to."""
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)


@contextmanager
def swapped(pairs: list[tuple[nn.Parameter, torch.Tensor]]) -> Iterator[None]:
    """Let each parameter hold the given values inside the block, and its own, untouched, afterwards."""
    own = [parameter.data for parameter, _ in pairs]
    try:
        for parameter, values in pairs:
            parameter.data = values
        yield
    finally:
        for (parameter, _), values in zip(pairs, own, strict=True):
            parameter.data = values
