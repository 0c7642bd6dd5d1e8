"""The optimiser of forgetting, by the name that a recipe gives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def build_optimizer(*, parameters: Iterable[nn.Parameter], recipe: Any) -> torch.optim.Optimizer:
    """AdamW, Adam, or SGD with momentum.

    Args:
        parameters: what is trained.
        recipe: names `optimizer`, `learning_rate`, `weight_decay` and, for SGD, `momentum`.
    """
    own = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=recipe.momentum, **own)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return kinds[recipe.optimizer](parameters, **own)
