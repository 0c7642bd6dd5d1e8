"""A frozen encoder: a classifier without its last layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.student.scope import head_name
from torch import nn


class Encoder:
    """Gives what the last layer of a classifier is given, (N, D).

    Args:
        network: frozen, on its device.
        sample: an image of the usual size; its values do not matter.

    Raises:
        InputError: its last layer is not linear.
    """

    def __init__(self, network: nn.Module, *, sample: torch.Tensor, arithmetic: Arithmetic) -> None:
        self.network, self.arithmetic = network, arithmetic
        head = network.get_submodule(head_name(network, sample))
        if not isinstance(head, nn.Linear):
            raise InputError(
                f"encoder: its last layer is {type(head).__name__}; a classifier that ends linearly is needed"
            )
        self.head = head

    @torch.no_grad()
    def embed(self, batches: Iterable[dict[str, Any]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (N, D), float32, and labels (N,) of all batches, on the CPU."""
        features: list[torch.Tensor] = []
        labels: list[torch.Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].float().cpu()))
        try:
            for batch in batches:
                moved = self.arithmetic.move(batch)
                self.arithmetic.logits(self.network, moved["image"])
                labels.append(moved["label"].flatten().cpu())
        finally:
            hook.remove()
        return torch.cat(features), torch.cat(labels)
