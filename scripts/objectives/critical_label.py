"""Random labels, but for critical classes: there the answer is to prefer nothing (SalUn-CRA, arXiv 2604.23854)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scripts.objectives.base import ForgetBatch
from scripts.objectives.random_label import RandomLabel


class CriticalLabel(RandomLabel):
    """Mean over images of CE to a random other class, or, where the true class is critical, of KL(uniform || p).

    A random label pushes a malignant image towards "benign", and others like it with it: a false negative.
    """

    name = "critical_label"
    needs_classes = True

    def __init__(
        self, *, task: str, critical_classes: Sequence[int] = (), seed: int = 0, weight: float | None = None
    ) -> None:
        super().__init__(task=task, seed=seed, weight=weight)
        self.critical_classes = tuple(int(number) for number in critical_classes)

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        label = self.need(batch.label, "the true labels").flatten()
        critical = torch.isin(label, torch.tensor(self.critical_classes, dtype=label.dtype, device=label.device))
        # Drawn for all, so that one image's class does not shift the draws of the next.
        target = self.target(logits, batch)
        total = logits.new_zeros(())
        if critical.any():
            total = total + critical.sum() * self.task.uniform(logits[critical])
        if not critical.all():
            total = total + (~critical).sum() * self.task.fit(logits[~critical], target[~critical])
        return self.weight * total / len(logits)
