"""Take away the structure on the forget images, and stop there: the bounded loss of `goal: suppress`."""

from __future__ import annotations

import torch
from torch.nn import functional

from scripts.objectives.base import SEGMENTATION, ForgetBatch, ForgetObjective, positive, share


class Foreground(ForgetObjective):
    """Acts on the foreground alone, and on an image only while it is above the bound.

    Segmentation: mean over images of on_i * mean(softplus(z) over pixels that are foreground in truth or teacher),
    on_i = [hard IoU of sigma(z) > 0.5 with the truth > bound].
    Classification: mean of on_i * -log(1 - p_i), p_i the probability of the true class, on_i = [p_i > bound].

    Background pixels carry no gradient: retain and guard distillation hold them. Without a truth the teacher's own
    mask or decision stands in for it.
    """

    name = "foreground"

    def __init__(self, *, task: str, bound: float = 0.4, weight: float | None = None) -> None:
        super().__init__(task=task)
        self.bound = share(bound, "bound")
        self.weight = 1.0 if weight is None else positive(weight, "weight")

    def __call__(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        logits = self.prepare(logits)
        loss = self._segmentation if self.task == SEGMENTATION else self._classification
        return self.weight * loss(logits, batch).mean()

    def _segmentation(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        teacher = None if batch.teacher_logits is None else (batch.teacher_logits > 0).flatten(1)
        if batch.label is None:
            truth = self.need(teacher, "true masks or the teacher's logits")
        else:
            truth = (batch.label > 0.5).flatten(1)
        foreground = truth if teacher is None else truth | teacher
        student = (logits.detach() > 0).flatten(1)
        union = (student | truth).sum(1).clamp(min=1)
        on = (student & truth).sum(1) / union > self.bound
        size = foreground.sum(1).clamp(min=1)
        return on * (foreground * functional.softplus(logits).flatten(1)).sum(1) / size

    def _classification(self, logits: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
        if batch.label is None:
            truth = self.need(batch.teacher_logits, "true classes or the teacher's logits").argmax(1)
        else:
            truth = batch.label.long()
        true = logits.gather(1, truth[:, None]).squeeze(1)
        others = logits.scatter(1, truth[:, None], -torch.inf).logsumexp(1)
        # -log(1 - p) = softplus(z_true - logsumexp of the others), finite for every p.
        on = torch.sigmoid(true - others).detach() > self.bound
        return on * functional.softplus(true - others)
