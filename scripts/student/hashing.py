"""What a set of weights is known by: one digest over names, types, shapes and bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch


def _header(name: str, tensor: torch.Tensor) -> bytes:
    return f"{name}|{tensor.dtype}|{tuple(tensor.shape)}\n".encode()


def state_hash(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 over the entries in name order: the same for the same weights on every device."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(_header(name, tensor))
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def architecture_hash(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 over names, types and shapes alone: tells another network from other weights of the same."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(_header(name, state[name]))
    return digest.hexdigest()
