"""Gradients of a loss over a whole set: their sum, and the diagonal of the Fisher information."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from torch import nn

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (logits, label) -> (N,)
Batches = Iterable[dict[str, Any]]


def summed_gradients(
    network: nn.Module, batches: Batches, *, parameters: Sequence[nn.Parameter], loss: Loss, arithmetic: Arithmetic
) -> list[torch.Tensor]:
    """Sum over all images of d loss / d weight, with its sign: each shaped as its weight."""
    found = [torch.zeros_like(parameter) for parameter in parameters]
    for batch in batches:
        _add(found, _gradients(network, batch, parameters=parameters, loss=loss, arithmetic=arithmetic))
    return found


def fisher_diagonal(
    network: nn.Module, images: Batches, *, parameters: Sequence[nn.Parameter], loss: Loss, arithmetic: Arithmetic
) -> list[torch.Tensor]:
    """Mean over images of (d loss / d weight)^2, the diagonal of the empirical Fisher information.

    Args:
        images: batches of one image each.
    """
    found, count = [torch.zeros_like(parameter) for parameter in parameters], 0
    for batch in images:
        own = _gradients(network, batch, parameters=parameters, loss=loss, arithmetic=arithmetic)
        _add(found, [gradient.square() for gradient in own])
        count += 1
    return [total / max(count, 1) for total in found]


def _gradients(
    network: nn.Module,
    batch: dict[str, Any],
    *,
    parameters: Sequence[nn.Parameter],
    loss: Loss,
    arithmetic: Arithmetic,
) -> list[torch.Tensor]:
    moved = arithmetic.move(batch)
    total = loss(arithmetic.logits(network, moved["image"]), moved["label"]).sum()
    found = torch.autograd.grad(total, list(parameters), allow_unused=True)
    return [
        torch.zeros_like(parameter) if own is None else own for parameter, own in zip(parameters, found, strict=True)
    ]


def _add(totals: Sequence[torch.Tensor], more: Sequence[torch.Tensor]) -> None:
    for total, one in zip(totals, more, strict=True):
        total += one
