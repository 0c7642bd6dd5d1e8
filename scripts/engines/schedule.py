"""The course of the learning rate."""

from __future__ import annotations

from typing import Any

import torch
from scripts.errors import InputError


def learning_rate_schedule(*, optimizer: torch.optim.Optimizer, name: str, steps: int) -> Any:
    """Factor on the learning rate, stepped once an iteration: cosine to zero over `steps`, or constant."""
    if name == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, int(steps)))
    if name == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    raise InputError(f"forget_lr_schedule: '{name}' is not one of cosine, constant")
