"""Classification: accuracy, sensitivity, area under the curve, and the membership score."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from scripts.tasks.task import Task

CLIP = 8.0  # nats


class Classification(Task):
    """One of K classes; logits (N, K), label (N,) class index."""

    name = "classification"
    key_metric = "accuracy"
    measures = ("accuracy", "cross_entropy", "brier")

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.argmax(1)

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of each class (N, K)."""
        return logits.float().softmax(1).cpu()

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Logit-scaled confidence of the true class, log(p/(1-p)), clipped to -8..8."""
        logits, label = logits.float(), label.long().flatten()
        own = logits.gather(1, label[:, None])[:, 0]
        rest = logits.masked_fill(functional.one_hot(label, logits.shape[1]).bool(), -torch.inf)
        return (own - rest.logsumexp(1)).clamp(-CLIP, CLIP).cpu()

    def measure(self, logits: torch.Tensor, label: torch.Tensor, *, surface: bool = True) -> dict[str, torch.Tensor]:
        logits, label = logits.float(), label.long().flatten()
        return {
            "accuracy": (logits.argmax(1) == label).double().cpu(),
            "brier": (logits.softmax(1) - functional.one_hot(label, logits.shape[1])).square().sum(1).double().cpu(),
            "cross_entropy": functional.cross_entropy(logits, label, reduction="none").double().cpu(),
        }

    def summary(self, labels: Sequence[torch.Tensor], logits: Sequence[torch.Tensor]) -> dict[str, float]:
        """One-against-rest AUC averaged over the classes at hand, and the sensitivity of each class."""
        from sklearn.metrics import roc_auc_score  # only evaluation summarises, not every workflow with a task

        truth = torch.cat([label.long().flatten() for label in labels])
        scores = torch.cat(list(logits)).float()
        found: dict[str, float] = {}
        areas = []
        for index in range(scores.shape[1]):
            own = truth == index
            if own.any():
                found[f"sensitivity_{index}"] = float((scores.argmax(1)[own] == index).double().mean())
            if own.any() and not own.all():
                areas.append(float(roc_auc_score(own.numpy(), scores.softmax(1)[:, index].numpy())))
        if areas:
            found["auc"] = sum(areas) / len(areas)
        return found
