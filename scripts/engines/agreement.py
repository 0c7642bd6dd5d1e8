"""How alike two models' decisions on one image are; no label is needed."""

from __future__ import annotations

import torch


def agreement(one: torch.Tensor, other: torch.Tensor) -> float:
    """Dice of two masks in {0, 1}, 1 where both are empty; of two classes 1 where they are the same, else 0.

    Args:
        one, other: the decisions of one image, as a task's `prediction` gives them.
    """
    if not one.ndim:
        return float(one == other)
    both, first, second = (float(mask.sum(dtype=torch.float64)) for mask in (one * other, one, other))
    return 2 * both / (first + second) if first + second else 1.0
