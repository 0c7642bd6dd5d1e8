"""Copies of networks that were trained a moment ago."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def release_activations(network: nn.Module) -> None:
    """Detach what modules keep of their last forward pass, such as DynUNet its heads: what is part of a graph cannot
    be copied, and nothing reads it again.
    """
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if name.startswith("_"):
                continue  # parameters, buffers, modules and hooks
            if (kept := _detached(value)) is not value:
                setattr(module, name, kept)


def _detached(value: Any) -> Any:
    if torch.is_tensor(value) and value.grad_fn is not None:
        return value.detach()
    if isinstance(value, list) and any(torch.is_tensor(one) and one.grad_fn is not None for one in value):
        return [_detached(one) for one in value]
    return value
