"""How far forgetting has come: 0 at the teacher, 1 at the goal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from scripts import processes
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.predict import Logits, Rows, predict
from scripts.engines.reference import FoldReference
from scripts.errors import InputError
from scripts.tasks import Task
from torch import nn


class Criterion(ABC):
    """Progress of a student, measured on the forget and selection sets in eval mode."""

    def __init__(
        self,
        *,
        teacher: nn.Module,
        forget: Iterable[dict[str, Any]],
        selection: Iterable[dict[str, Any]],
        task: Task,
        arithmetic: Arithmetic,
        teacher_selection: Rows | None = None,
    ) -> None:
        self.forget, self.selection = list(forget), list(selection)
        self.task, self.arithmetic = task, arithmetic
        # It is known already where fold teachers were calibrated.
        self.teacher_selection = teacher_selection or self._rows(teacher, self.selection)

    def _rows(self, network: nn.Module, batches: Iterable[dict[str, Any]], logits: Logits | None = None) -> Rows:
        return predict(network, batches, task=self.task, arithmetic=self.arithmetic, logits=logits)

    def measure(self, network: nn.Module, logits: Logits | None = None) -> dict[str, float]:
        """`progress`, and `kept`: the student's key metric on the selection set minus the teacher's.

        Of several processes all get what the first measured: what follows from it must not differ.

        Args:
            logits: of a batch; see `predict`.
        """
        selection = self._rows(network, self.selection, logits)
        key = self.task.key_metric
        found = {
            "progress": self._progress(network, logits, selection),
            "kept": selection.mean(key) - self.teacher_selection.mean(key),
        }
        return processes.agreed(found)

    def progress(self, network: nn.Module, logits: Logits | None = None) -> float:
        """0 where the student is like the teacher, 1 at the goal, above 1 past it; runs the sets it needs."""
        return processes.agreed({"progress": self._progress(network, logits, None)})["progress"]

    @abstractmethod
    def _progress(self, network: nn.Module, logits: Logits | None, selection: Rows | None) -> float:
        """The progress; `selection`, where it was measured already, need not be measured again."""


class UnlearnCriterion(Criterion):
    """Fraction of the teacher's selection-corrected score on the forget set that is gone:

    `(y_T - y_S) / (y_T - level)`, y = mean score on forget - mean score on selection.

    Args:
        level: corrected score of models that never saw the forget set: a fold reference's, or 0,
            the level of patients never seen.
    """

    def __init__(self, *, level: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.level = float(level)
        teacher_forget = self._rows(settings["teacher"], self.forget)
        self.start = teacher_forget.mean("score") - self.teacher_selection.mean("score")

    def _progress(self, network: nn.Module, logits: Logits | None, selection: Rows | None) -> float:
        gap = self.start - self.level
        if gap <= 1e-6:
            return 1.0  # the teacher does not stand out on the forget set: there is nothing to remove
        forget = self._rows(network, self.forget, logits)
        selection = selection or self._rows(network, self.selection, logits)
        return (self.start - (forget.mean("score") - selection.mean("score"))) / gap


class ReferenceCriterion(Criterion):
    """Share of the teacher's departure from the reference that is gone, along that departure:

    `1 - <p_S - p_ref, p_T - p_ref> / <p_T - p_ref, p_T - p_ref>`, p the predicted probabilities, averaged
    over patients. It compares patterns: a student whose mean score was brought to the reference's level
    while its predictions still follow the teacher's stands below 1 here.
    """

    def __init__(self, *, reference: FoldReference, **settings: Any) -> None:
        super().__init__(**settings, teacher_selection=reference.teacher_selection)
        teacher = settings["teacher"]
        self.departures: list[tuple[torch.Tensor, torch.Tensor]] = []
        for batch in self.forget:
            moved = self.arithmetic.move(batch)
            target = self.task.activate(reference.logits(moved))
            self.departures.append((target, self.task.activate(self._logits(teacher, moved)) - target))

    def _progress(self, network: nn.Module, logits: Logits | None, selection: Rows | None) -> float:
        training = network.training
        network.eval()
        left: dict[str, list[torch.Tensor]] = {}
        for batch, (target, departure) in zip(self.forget, self.departures, strict=True):
            apart = self.task.activate(self._logits(network, self.arithmetic.move(batch), logits)) - target
            along, whole = (apart * departure).flatten(1).sum(1), departure.square().flatten(1).sum(1)
            for patient, one, other in zip(batch["patient_id"], along, whole, strict=True):
                left.setdefault(patient, []).append(torch.stack([one, other]))
        network.train(training)
        shares = []
        for parts in left.values():
            along, whole = torch.stack(parts).sum(0).tolist()
            if whole > 0:
                shares.append(1 - along / whole)
        # Teacher and reference say the same: there is nothing to remove.
        return sum(shares) / len(shares) if shares else 1.0

    @torch.no_grad()
    def _logits(self, network: nn.Module, batch: dict[str, Any], logits: Logits | None = None) -> torch.Tensor:
        return self.arithmetic.logits(network, batch["image"]) if logits is None else logits(batch)


class SuppressCriterion(Criterion):
    """Fraction of the way from the teacher's overlap (IoU, or accuracy) on the forget set down to `bound`."""

    def __init__(self, *, bound: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.bound = float(bound)
        self.name = self.task.overlap
        self.start = self._rows(settings["teacher"], self.forget).mean(self.name)

    def _progress(self, network: nn.Module, logits: Logits | None, selection: Rows | None) -> float:
        if self.start <= self.bound:
            return 1.0
        return (self.start - self._rows(network, self.forget, logits).mean(self.name)) / (self.start - self.bound)


def build_criterion(*, goal: str, bound: float, reference: FoldReference | None, **settings: Any) -> Criterion:
    """The criterion of a goal; `unlearn` without fold reference aims at the score level of patients never seen.

    Args:
        bound: of `suppress`.
        reference: of `unlearn`.
        settings: of `Criterion`.

    Raises:
        InputError: the forget or the selection set is empty.
    """
    for name in ("forget", "selection"):
        if not len(settings[name]):
            raise InputError(f"the {name} set is empty; allowed are requests and splits that leave images in it")
    if goal == "suppress":
        return SuppressCriterion(bound=bound, **settings)
    return UnlearnCriterion(**settings) if reference is None else ReferenceCriterion(reference=reference, **settings)
