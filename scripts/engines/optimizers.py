"""The optimiser of forgetting, by the name that a recipe gives it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch


def optimizer_of(recipe: Any) -> Callable[..., torch.optim.Optimizer]:
    """AdamW, Adam, or SGD with momentum, waiting for `params` and `lr`, as torch's own are.

    Args:
        recipe: names `optimizer`, `weight_decay` and, for SGD, `momentum`.
    """
    own = {"weight_decay": recipe.weight_decay}
    if recipe.optimizer == "sgd":
        return partial(torch.optim.SGD, momentum=recipe.momentum, **own)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return partial(kinds[recipe.optimizer], **own)
