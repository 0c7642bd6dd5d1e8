"""Classification: accuracy, sensitivity, area under the curve, and the membership score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from scripts.errors import InputError
from scripts.tasks.drawn import another_class
from scripts.tasks.margin import Margin
from scripts.tasks.task import CALIBRATION, Task
from torch.nn import functional

CLIP = 8.0  # nats
SENSITIVITY = "sensitivity_"  # and the index of the class
MARGINS = {"accuracy": Margin(0.02), "brier": Margin(CALIBRATION, relative=True, higher_is_better=False)}
OF_A_CLASS = Margin(0.05)  # a rare class can be lost at an accuracy that stays


class Classification(Task):
    """One of K classes; logits (N, K), label (N,) class index."""

    name = "classification"
    key_metric = "accuracy"
    overlap = "accuracy"
    measures = ("accuracy", "cross_entropy", "brier")
    masks = False
    exclusive = True
    background = False
    entropy_weight = 3.0  # that of the released code (arXiv 2511.16574)

    def problem(self, logits: torch.Tensor) -> str:
        if logits.ndim == 2 and logits.shape[1] >= 2:
            return ""
        return f"classification needs logits (N, C) with C >= 2; got {tuple(logits.shape)}"

    def outputs(self, classes: int) -> int:
        return classes

    def classes(self, outputs: int) -> int:
        return outputs

    def margin(self, measure: str) -> Margin | None:
        return OF_A_CLASS if measure.startswith(SENSITIVITY) else MARGINS.get(measure)

    def overlooked(self, means: Mapping[str, float]) -> float:
        """1 - the sensitivity of the class that is found least."""
        known = [value for name, value in means.items() if name.startswith(SENSITIVITY) and value == value]
        return 1 - min(known) if known else float("nan")

    def guarded(self, classes: int) -> dict[str, Margin]:
        return MARGINS | {f"{SENSITIVITY}{k}": OF_A_CLASS for k in range(classes)}

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.softmax(1)

    def mean_of(self, logits: torch.Tensor) -> torch.Tensor:
        # In logarithms: a probability that rounds to 1 would have no logit.
        return logits.log_softmax(2).logsumexp(0)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.argmax(1)

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of each class (N, K)."""
        return logits.float().softmax(1).cpu()

    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """1 for the class that is decided, else 0: (N, K)."""
        return functional.one_hot(self.prediction(logits), logits.shape[1]).float().cpu()

    def loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Cross-entropy, nats."""
        return functional.cross_entropy(logits.float(), label.long(), reduction="none")

    def ceiling(self, logits: torch.Tensor) -> float:
        return math.log(logits.shape[1])

    def distil(self, logits: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """T^2 * KL(softmax(z_T / T) || softmax(z / T))."""
        found, soft = (functional.log_softmax(z.float() / temperature, dim=1) for z in (logits, teacher.detach()))
        return temperature**2 * functional.kl_div(found, soft, reduction="batchmean", log_target=True)

    def fit(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, target)

    def departure(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """Total variation, sum |p - p_T| / 2."""
        return (logits.softmax(1) - teacher.softmax(1)).abs().sum(1) / 2

    def uniform(self, logits: torch.Tensor) -> torch.Tensor:
        """KL(uniform || softmax(z)), mean; its least value is 0."""
        return (-functional.log_softmax(logits, dim=1).mean(1) - math.log(logits.shape[1])).mean()

    def suppression(
        self, logits: torch.Tensor, label: torch.Tensor | None, teacher: torch.Tensor | None, *, bound: float
    ) -> torch.Tensor:
        """[p_i > bound] * -log(1 - p_i), p_i the probability of the true class."""
        if label is None:
            assert teacher is not None, "the label or the teacher's logits are given"
            truth = teacher.argmax(1)
        else:
            truth = label.long()
        true = logits.gather(1, truth[:, None]).squeeze(1)
        others = logits.scatter(1, truth[:, None], -torch.inf).logsumexp(1)
        # -log(1 - p) = softplus(z_true - logsumexp of the others), finite for every p.
        on = torch.sigmoid(true - others).detach() > bound
        return on * functional.softplus(true - others)

    def random_target(self, label: torch.Tensor, *, outputs: int, generator: torch.Generator) -> torch.Tensor:
        return torch.tensor(another_class(_checked(label, outputs), classes=outputs, generator=generator))

    def noisy_target(
        self, label: torch.Tensor, *, outputs: int, displacement: float, flip: float, generator: torch.Generator
    ) -> torch.Tensor:
        own = _checked(label, outputs)
        flipped = float(torch.rand(1, generator=generator)) < flip
        # Drawn whether it is needed or not, so that one image does not shift the draws of the next.
        other = another_class(own, classes=outputs, generator=generator)
        return torch.tensor(other if flipped else own)

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Logit-scaled confidence of the true class, log(p/(1-p)), clipped to -8..8."""
        logits, label = logits.float(), label.long().flatten()
        own = logits.gather(1, label[:, None])[:, 0]
        rest = logits.masked_fill(functional.one_hot(label, logits.shape[1]).bool(), -torch.inf)
        return (own - rest.logsumexp(1)).clamp(-CLIP, CLIP).cpu()

    def measure(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        *,
        surface: bool = True,
        spacing: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
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


def _checked(label: torch.Tensor, classes: int) -> int:
    if not 0 <= int(label) < classes:
        raise InputError(f"class {int(label)} for {classes} outputs: allowed are 0 to {classes - 1}")
    return int(label)
