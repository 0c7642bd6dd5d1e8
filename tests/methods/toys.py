"""Linear classifiers on drawn features: the losses of methods are convex there, and their ends are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.forward import Forward
from scripts.engines.optimizers import optimizer_of
from scripts.methods.method import Context, Method
from scripts.methods.registry import build_method
from scripts.objectives.registry import build_forget_objective, build_retain_objective
from scripts.student.teacher import freeze
from scripts.tasks import build_task
from torch import nn

ABOUT = {"goal": "unlearn", "schedule": "joint", "task": "classification", "reference": "fold", "exact": False}


class Linear(nn.Module):
    """z = W x + b of images (N, D, 1, 1)."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.layer = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.layer.weight.copy_(weight)
            self.layer.bias.zero_()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layer(image.flatten(1))


def batch(features: torch.Tensor, labels: torch.Tensor, name: str = "image") -> dict[str, Any]:
    """A batch as a loader gives it."""
    ids = [f"{name}{index}" for index in range(len(features))]
    return {
        "image": features[:, :, None, None],
        "label": labels,
        "image_id": ids,
        "patient_id": ids,
        "view": [""] * len(ids),
    }


@dataclass
class Steps:
    """The same batches in every round."""

    batches: list[dict[str, dict[str, Any]]]
    hard: None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, dict[str, Any]]]:
        return iter(self.batches)

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn."""


class Loaders:
    """The two sets, as methods ask for them."""

    def __init__(self, sets: Mapping[str, dict[str, Any]]) -> None:
        self.sets = dict(sets)

    def evaluation(self, name: str) -> list[dict[str, Any]]:
        return [self.sets[name]]

    def drawn(self, name: str) -> list[str]:
        return list(self.sets[name]["image_id"])

    def as_trained(self, records: Sequence[str], *, batch_size: int) -> list[dict[str, Any]]:
        (own,) = [part for part in self.sets.values() if part["image_id"] == list(records)][:1]
        cuts = range(0, len(records), batch_size)
        return [{name: value[cut : cut + batch_size] for name, value in own.items()} for cut in cuts]


def toy(
    name: str,
    *,
    weight: torch.Tensor,
    forget: dict[str, Any],
    retain: dict[str, Any],
    oracle: torch.Tensor | None = None,
    **settings: Any,
) -> SimpleNamespace:
    """A method on a linear classifier: `trainer`, `student`, `teacher`, its `layer` and the `method`."""
    teacher, arithmetic = freeze(Linear(weight)), Arithmetic(device="cpu")
    method: Method = build_method(name, ABOUT | settings)
    cohort = SimpleNamespace(forget=forget["image_id"], fold_of=lambda record: 0)
    context = Context(
        teacher=teacher,
        member=lambda fold: freeze(Linear(weight if oracle is None else oracle)),
        retrained=lambda: Path("none"),
        cohort=cohort,  # type: ignore[arg-type]
        loaders=Loaders({"forget": forget, "retain": retain, "selection": retain}),  # type: ignore[arg-type]
        task=build_task("classification"),
        arithmetic=arithmetic,
        sample=forget["image"][:1],
        seed=0,
    )
    student, recipe = method.student(context), method.recipe
    looked = method.opens_patients
    if method.passes:
        sets = {"forget": forget, "retain": retain}
        batches = [{one: sets[one]} for one in method.passes]
    else:
        batches = [{"forget": forget, "retain": retain} if looked else {"retain": retain}]
    own = {"task": "classification", "critical_classes": recipe.critical_classes or (), **method.objective_settings}
    retain_settings = {"supervised_weight": recipe.supervised_weight, **own}
    target = method.target(context) if method.own_target else None
    trainer = method.engine(
        context=context,
        arithmetic=arithmetic,
        student=student,
        forward=Forward(arithmetic=arithmetic, student=student.network, teacher=teacher, reference=target),
        loader=Steps(batches),
        optimizer=optimizer_of(recipe)(student.trainable(), lr=recipe.learning_rate),
        forget_objective=build_forget_objective(name=recipe.forget_objective, **own),
        retain_objective=build_retain_objective(name=recipe.retain_objective, **retain_settings),
        forget_weight=recipe.forget_weight,
        retain_weight=recipe.retain_weight,
        max_epochs=recipe.max_rounds,
    )
    return SimpleNamespace(
        trainer=trainer, student=student, teacher=teacher, layer=student.network.inner.layer, method=method
    )
