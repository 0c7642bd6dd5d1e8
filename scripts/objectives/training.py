"""Losses of ordinary training by name: the task's own, and two tricks for small or hard structures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scripts.errors import InputError
from scripts.objectives.supervised import supervised_loss
from scripts.tasks.registry import build_task
from scripts.tasks.task import Task

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

FALSE_POSITIVES, FALSE_NEGATIVES = 0.3, 0.7  # weights in the Tversky index: what is missed counts more
SMOOTH = 1.0  # pixels
HARDEST = 0.25  # share of pixels, or of a batch's images, that OHEM keeps


def training_loss(task: str, name: str = "plain") -> Loss:
    """(answers, label) -> scalar.

    plain: the task's own.
    tversky: 1 - TP / (TP + .3 FP + .7 FN), mean over structures and images, plus the task's own (MedISeg, 2209.10307).
    ohem: the task's own loss of an image in classification, cross-entropy of a pixel in segmentation, mean over the
    hardest quarter.

    Raises:
        InputError: a loss that the task does not have.
    """
    own = build_task(task)
    if name == "plain":
        return supervised_loss(task)
    if name == "tversky" and own.masks and not own.graded:
        plain = supervised_loss(task)
        return lambda answers, label: plain(answers, label) + _tversky(own, answers, label)
    if name == "ohem" and not own.graded:
        return lambda answers, label: _hardest(own, answers, label)
    raise InputError(f"training_loss: '{name}' is not for task: {task}")


def _tversky(task: Task, answers: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    found = task.structures(answers.float()).flatten(2)  # type: ignore[attr-defined]
    truth = task.truth(label, structures=found.shape[1]).float().flatten(2)  # type: ignore[attr-defined]
    both = (found * truth).sum(2)
    wrong = FALSE_POSITIVES * (found * (1 - truth)).sum(2) + FALSE_NEGATIVES * ((1 - found) * truth).sum(2)
    return 1 - ((both + SMOOTH) / (both + wrong + SMOOTH)).mean()


def _hardest(task: Task, answers: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    if not task.masks:
        losses = task.loss(answers, label)
        return losses.topk(max(1, round(HARDEST * len(losses)))).values.mean()
    found = task.structures(answers.float())  # type: ignore[attr-defined]
    truth = task.truth(label, structures=found.shape[1]).float()  # type: ignore[attr-defined]
    apart = torch.nn.functional.binary_cross_entropy(found.clamp(1e-6, 1 - 1e-6), truth, reduction="none").flatten(1)
    return apart.topk(max(1, round(HARDEST * apart.shape[1])), dim=1).values.mean()
