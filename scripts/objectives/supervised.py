"""The loss of ordinary training: Dice + BCE for one structure, cross-entropy for classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from scripts.errors import InputError

SMOOTH = 1.0  # pixels, in both halves of the Dice fraction: an empty mask costs what its false pixels are worth


def supervised_loss(task: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mean over the batch of `supervised_per_image(task)`: (logits, label) -> scalar, float32."""
    per_image = supervised_per_image(task)
    return lambda logits, label: per_image(logits, label).mean()


def supervised_per_image(task: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """(logits, label) -> (N,) in float32.

    Segmentation, logits and label (N, 1, ...): Dice(sigma(z), y) + mean BCE(z, y), both per image.
    Classification, logits (N, C) and label (N,): cross-entropy, nats.

    Raises:
        InputError: the task is unknown, or the segmentation has more than one output channel.
    """
    if task == "segmentation":
        from monai.losses import DiceLoss

        dice = DiceLoss(sigmoid=True, batch=False, reduction="none", smooth_nr=SMOOTH, smooth_dr=SMOOTH)
        return lambda logits, label: _dice_bce(dice, logits, label)
    if task == "classification":
        return lambda logits, label: functional.cross_entropy(logits.float(), label.long(), reduction="none")
    raise InputError(f"task {task!r} has no supervised loss; allowed are segmentation and classification")


def _dice_bce(dice: torch.nn.Module, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    if logits.shape[1] != 1:
        raise InputError(
            f"segmentation of {logits.shape[1]} channels is not supported: one structure against "
            "background, one output channel"
        )
    logits, label = logits.float(), label.float()
    overlap = dice(logits, label).flatten(1).mean(1)
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, label, reduction="none").flatten(1).mean(1)
    return overlap + cross_entropy
