"""A loss that is not a number ends the run at once."""

from __future__ import annotations

import torch
from scripts.errors import InputError


def require_finite(loss: torch.Tensor, *, step: int, setting: str = "learning_rate") -> torch.Tensor:
    """The loss itself.

    Args:
        setting: name of the learning rate in the configs.

    Raises:
        InputError: it is NaN or infinite.
    """
    if not bool(torch.isfinite(loss)):
        raise InputError(
            f"loss is {float(loss.detach())} at step {step}: nothing was written; allowed are finite losses"
            f" (lower {setting}, check the labels, or set amp: false)"
        )
    return loss
