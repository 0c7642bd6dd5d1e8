"""Ordinary training on the retain set: nothing of the teacher's answers comes in."""

from __future__ import annotations

import torch
from scripts.objectives.base import RetainObjective
from scripts.objectives.supervised import supervised_loss


class Labels(RetainObjective):
    """The supervised loss alone; the teacher's logits are not looked at."""

    name = "supervised"

    def __init__(self, *, task: str) -> None:
        super().__init__(task=task)
        self.supervised = supervised_loss(task)

    def __call__(
        self, logits: torch.Tensor, teacher_logits: torch.Tensor, label: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.supervised(self.prepare(logits), self.need(label, "labels, which guard images have none of"))
