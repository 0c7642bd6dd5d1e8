"""Classification: accuracy, sensitivity, area under the curve, and the membership score."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from scripts.tasks.margin import Margin
from scripts.tasks.task import CALIBRATION, Task

CLIP = 8.0  # nats
SENSITIVITY = "sensitivity_"  # and the index of the class
MARGINS = {"accuracy": Margin(0.02), "brier": Margin(CALIBRATION, relative=True, higher_is_better=False)}
OF_A_CLASS = Margin(0.05)  # a rare class can be lost at an accuracy that stays


class Classification(Task):
    """One of K classes; logits (N, K), label (N,) class index."""

    name = "classification"
    key_metric = "accuracy"
    measures = ("accuracy", "cross_entropy", "brier")

    def margin(self, measure: str) -> Margin | None:
        return OF_A_CLASS if measure.startswith(SENSITIVITY) else MARGINS.get(measure)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.argmax(1)

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of each class (N, K)."""
        return logits.float().softmax(1).cpu()

    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """1 for the class that is decided, else 0: (N, K)."""
        return functional.one_hot(self.prediction(logits), logits.shape[1]).float().cpu()

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Logit-scaled confidence of the true class, log(p/(1-p)), clipped to -8..8."""
        logits, label = logits.float(), label.long().flatten()
        own = logits.gather(1, label[:, None])[:, 0]
        rest = logits.masked_fill(functional.one_hot(label, logits.shape[1]).bool(), -torch.inf)
        return (own - rest.logsumexp(1)).clamp(-CLIP, CLIP).cpu()

    def measure(self, logits: torch.Tensor, label: torch.Tensor, *, surface: bool = True) -> dict[str, torch.Tensor]:
        """Also the sensitivity of each class: whether an image of that class is found; undefined for the others."""
        logits, label = logits.float(), label.long().flatten()
        right = (logits.argmax(1) == label).double().cpu()
        undefined = torch.full_like(right, torch.nan)
        return {
            **{f"{SENSITIVITY}{k}": torch.where(label.cpu() == k, right, undefined) for k in range(logits.shape[1])},
            "accuracy": right,
            "brier": (logits.softmax(1) - functional.one_hot(label, logits.shape[1])).square().sum(1).double().cpu(),
            "cross_entropy": functional.cross_entropy(logits, label, reduction="none").double().cpu(),
        }

    def summary(self, labels: Sequence[torch.Tensor], logits: Sequence[torch.Tensor]) -> dict[str, float]:
        """One-against-rest AUC averaged over the classes at hand."""
        from sklearn.metrics import roc_auc_score  # only evaluation summarises, not every workflow with a task

        truth = torch.cat([label.long().flatten() for label in labels])
        scores = torch.cat(list(logits)).float()
        areas = []
        for index in range(scores.shape[1]):
            own = truth == index
            if own.any() and not own.all():
                areas.append(float(roc_auc_score(own.numpy(), scores.softmax(1)[:, index].numpy())))
        return {"auc": sum(areas) / len(areas)} if areas else {}
