"""The loss of ordinary training, as the task has it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scripts.tasks.registry import build_task


def supervised_loss(task: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mean over the batch of the task's loss of each image: (logits, label) -> scalar, float32.

    Raises:
        InputError: the task is unknown.
    """
    per_image = build_task(task).loss
    return lambda logits, label: per_image(logits, label).mean()
