"""The network inside the student: its mode switch reaches the LoRA dropout, and what is said to follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from scripts import processes
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

ADAPTER = "default"


class AdaptedNetwork(nn.Module):
    """Wraps a network with injected LoRA layers; called like the plain one, returns its logits.

    `train()` leaves base BatchNorm and base dropout in eval and turns on the LoRA dropout alone, so MONAI's engines,
    which switch modes by themselves, cannot move a buffer of the teacher.

    Args:
        live: names of modules that are in training mode while this is: BatchNorm normalises by each batch and its
            statistics move, dropout draws. A batch of one image has no statistics worth the name and takes the stored.
    """

    def __init__(self, inner: nn.Module, *, live: Sequence[str] = ()) -> None:
        super().__init__()
        self.inner = inner
        self.live = tuple(live)
        self.dropout_allowed = True
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.training and self.live and len(image) * processes.size() == 1:
            with statistics_kept(self.inner):
                return self.inner(image)
        return self.inner(image)

    def train(self, mode: bool = True) -> AdaptedNetwork:
        super().train(False)
        self.training = mode
        for name in self.live:
            self.inner.get_submodule(name).train(mode)
        for _, layer in lora_layers(self.inner):
            layer.lora_dropout.train(mode and self.dropout_allowed)
        return self


def lora_layers(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Name and module of every LoRA layer, in the network's order."""
    return [(name, module) for name, module in network.named_modules() if hasattr(module, "lora_A")]


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """BatchNorm takes its stored statistics inside the block, and none of them moves."""
    moving = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    try:
        for module in moving:
            module.training = False
        yield
    finally:
        for module in moving:
            module.training = True


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
