"""A network run over a loader without gradient: scores and measures, image by image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from ignite.engine import Engine
from monai.engines import SupervisedEvaluator
from scripts.engines.arithmetic import Arithmetic
from scripts.frozen.heap import give_back
from scripts.tasks import Task
from torch import nn

Logits = Callable[[dict[str, Any]], torch.Tensor]  # of a batch on its device


@dataclass
class Rows:
    """Values per image, in the loader's order.

    Attributes:
        values: name -> (N,); `score` is the membership score.
        summary: measures that exist for the whole set only.
    """

    image_ids: list[str] = field(default_factory=list)
    patient_ids: list[str] = field(default_factory=list)
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)

    def patient_means(self, name: str) -> torch.Tensor:
        """Mean of a value per patient, patients in sorted order; an undefined image is left out."""
        by_patient: dict[str, list[float]] = {}
        for patient, value in zip(self.patient_ids, self.values[name].tolist(), strict=True):
            if value == value:
                by_patient.setdefault(patient, []).append(value)
        means = [sum(found) / len(found) for _, found in sorted(by_patient.items())]
        return torch.tensor(means, dtype=torch.float64)

    def mean(self, name: str) -> float:
        """Mean over patients of the per-patient means; NaN for an empty set."""
        means = self.patient_means(name) if name in self.values else torch.zeros(0)
        return float(means.mean()) if len(means) else float("nan")


class MeasureEvaluator(SupervisedEvaluator):
    """MONAI's SupervisedEvaluator that measures each image by itself, in float32, and keeps the rows.

    Args:
        surface: also the boundary distances, which cost more than the forward pass.
        logits: gives the network's logits of a batch, where there is a shorter way than the whole network.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        batches: Iterable[dict[str, Any]],
        task: Task,
        arithmetic: Arithmetic,
        surface: bool = False,
        logits: Logits | None = None,
    ) -> None:
        super().__init__(
            device=arithmetic.device, val_data_loader=batches, network=network, epoch_length=None, decollate=False
        )
        # Hundreds of short runs a session: ignite would announce each.
        self.logger.setLevel(logging.CRITICAL)
        self.task, self.arithmetic, self.surface = task, arithmetic, surface
        self.logits: Logits = logits or (lambda batch: arithmetic.logits(network, batch["image"]))
        self.rows = Rows()
        self._parts: dict[str, list[torch.Tensor]] = {}
        self._outputs: list[tuple[torch.Tensor, torch.Tensor]] = []

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> dict[str, Any]:
        batch = self.arithmetic.move(batchdata)
        with torch.no_grad():
            logits = self.logits(batch)
        found = self.task.measure(logits, batch["label"], surface=self.surface, spacing=batch.get("spacing"))
        found["score"] = self.task.score(logits, batch["label"])
        for name, value in found.items():
            self._parts.setdefault(name, []).append(value.double().cpu())
        self.rows.image_ids += list(batch["image_id"])
        self.rows.patient_ids += list(batch["patient_id"])
        if not self.arithmetic.at_once(batch["image"]):
            # glibc keeps what a volume's windows freed: 25 MB more for each volume, 900 MB after 40 of 128^3.
            give_back()
        if self.task.summarises:
            self._outputs.append((batch["label"].cpu(), logits.cpu()))
        return {}

    def collect(self) -> Rows:
        """Run once and return the rows; every module's mode is put back."""
        modes = [(module, module.training) for module in self.network.modules()]
        self.network.eval()
        try:
            self.run()
        finally:
            for module, training in modes:
                module.training = training
        self.rows.values = {name: torch.cat(parts) for name, parts in self._parts.items()}
        if self._outputs:
            labels, logits = zip(*self._outputs, strict=True)
            self.rows.summary = self.task.summary(labels, logits)
        return self.rows


def predict(
    network: nn.Module,
    batches: Iterable[dict[str, Any]],
    *,
    task: Task,
    arithmetic: Arithmetic,
    surface: bool = False,
    logits: Logits | None = None,
) -> Rows:
    """Score and measure every image of `batches`; an empty set gives no rows."""
    batches = batches if hasattr(batches, "__len__") else list(batches)
    if not len(batches):  # type: ignore[arg-type]
        return Rows()
    evaluator = MeasureEvaluator(
        network=network, batches=batches, task=task, arithmetic=arithmetic, surface=surface, logits=logits
    )
    return evaluator.collect()
