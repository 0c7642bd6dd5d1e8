"""A loss that is not a number ends the run at once."""

from __future__ import annotations

import torch

from scripts.errors import InputError


def require_finite(loss: torch.Tensor, *, step: int) -> torch.Tensor:
    """The loss itself.

    Raises:
        InputError: it is NaN or infinite.
    """
    if not bool(torch.isfinite(loss)):
        raise InputError(
            f"loss is {float(loss.detach())} at step {step}: nothing was written; allowed are finite losses"
            " (lower the learning rate, check the labels, or set amp: false)"
        )
    return loss
