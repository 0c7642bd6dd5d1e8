"""A student of a mock request beside a model that never saw its patients; images are prepared once per request."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from scripts.attacks.finetuning import FineTuned
from scripts.attacks.recovery import BATCH, spread
from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import Rows, predict
from scripts.files import read_json
from scripts.pool.trial import Measured
from scripts.references.jobs import Job
from scripts.tasks import Task
from torch import nn

ATTACK_STEPS = 20
Batches = Iterable[dict[str, Any]]


@dataclass(frozen=True)
class Mock:
    """A mock request: patients of one fold, and the model by which it is measured.

    Attributes:
        records: the patients' images.
        request: its file, in the private folder of the pool.
        key: digest of what is to be forgotten.
        measure: trained without the fold, with a seed of its own: no method looks at it.
    """

    records: tuple[Record, ...]
    request: Path
    key: str
    measure: Job


@dataclass(frozen=True)
class Scored:
    """Corrected score of the patients, nats; key metric of the patients and of the selection set."""

    score: float
    metric: float
    selection: float


@dataclass(frozen=True)
class Fixed:
    """What is the same for every candidate on one mock request.

    Attributes:
        asked: batches of the patients' images.
        retain: batches of retain images, those that an attacker may have.
        teacher, measure, attacked: figures of the teacher, the measuring model, and that model after the attack.
        kept, held: key metric of the measuring model and of the teacher on `retain`.
        teacher_answers, answers: coarse answers of teacher and measuring model.
    """

    asked: Batches
    retain: Sequence[dict[str, Any]]
    teacher: Scored
    measure: Scored
    attacked: Scored
    kept: float
    held: float
    teacher_answers: torch.Tensor
    answers: torch.Tensor


class Measuring:
    """Measures students.

    Args:
        cohort: without a request: everybody is retained.
        loaders: of that cohort.
        network: the architecture; it is copied.
        teacher: file of the teacher.
    """

    def __init__(
        self,
        *,
        cohort: Cohort,
        loaders: CohortLoaders,
        network: nn.Module,
        teacher: Path,
        task: Task,
        arithmetic: Arithmetic,
    ) -> None:
        self.cohort, self.loaders, self.network, self.teacher = cohort, loaders, network, teacher
        self.task, self.arithmetic = task, arithmetic
        self._fixed: dict[str, Fixed] = {}

    def measured(self, job: Job, mock: Mock) -> Measured:
        """The student that the job left, on its mock request."""
        if mock.key not in self._fixed:
            self._fixed[mock.key] = self._fix(mock)
        fixed = self._fixed[mock.key]
        student = self._placed(job.weights)
        own = self._scored(student, fixed.asked)
        attacked = self._scored(self._attacked(student, fixed.retain), fixed.asked)
        retain = self._rows(student, fixed.retain).mean(self.task.key_metric)
        answers = self._answers(student, fixed.asked)
        return Measured(
            score=(fixed.teacher.score, own.score, fixed.measure.score),
            metric=(fixed.teacher.metric, own.metric, fixed.measure.metric),
            distance=(_apart(fixed.teacher_answers, fixed.answers), _apart(answers, fixed.answers)),
            kept=(retain - fixed.kept, own.selection - fixed.measure.selection),
            held=(retain - fixed.held, own.selection - fixed.teacher.selection),
            agreement=self._agreement(student, self._placed(self.teacher)),
            attacked_score=(attacked.score, fixed.attacked.score),
            attacked_metric=(attacked.metric, fixed.attacked.metric),
            seconds=_cpu_seconds(job),
        )

    def _fix(self, mock: Mock) -> Fixed:
        asked = {record["image_id"] for record in mock.records}
        others = [record for record in self.cohort.retain if record["image_id"] not in asked]
        own = self._batches(mock.records)
        attacker = self.loaders.prepare([others[position] for position in spread(len(others))])
        retain = list(EpochLoader(self.loaders.patches(attacker), batch_size=BATCH))
        teacher, measure = self._placed(self.teacher), self._placed(mock.measure.weights)
        return Fixed(
            asked=own,
            retain=retain,
            teacher=self._scored(teacher, own),
            measure=self._scored(measure, own),
            attacked=self._scored(self._attacked(measure, retain), own),
            kept=self._rows(measure, retain).mean(self.task.key_metric),
            held=self._rows(teacher, retain).mean(self.task.key_metric),
            teacher_answers=self._answers(teacher, own),
            answers=self._answers(measure, own),
        )

    def _scored(self, network: nn.Module, asked: Batches) -> Scored:
        own, selection = (self._rows(network, batches) for batches in (asked, self.loaders.evaluation("selection")))
        key = self.task.key_metric
        return Scored(own.mean("score") - selection.mean("score"), own.mean(key), selection.mean(key))

    def _placed(self, path: Path) -> nn.Module:
        return place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)

    def _batches(self, records: Sequence[Record]) -> Batches:
        return EpochLoader(self.loaders.prepare(records), batch_size=self.loaders.batch_size)

    def _rows(self, network: nn.Module, batches: Any) -> Rows:
        return predict(network, batches, task=self.task, arithmetic=self.arithmetic)

    def _attacked(self, network: nn.Module, retain: Sequence[dict[str, Any]]) -> nn.Module:
        attack = FineTuned(batches=retain, task=self.task.name, arithmetic=self.arithmetic, steps=ATTACK_STEPS)
        return attack(network)

    @torch.no_grad()
    def _answers(self, network: nn.Module, batches: Batches) -> torch.Tensor:
        moved = (self.arithmetic.move(batch)["image"] for batch in batches)
        return torch.cat([self.task.answer(self.arithmetic.logits(network, image)) for image in moved])

    @torch.no_grad()
    def _agreement(self, one: nn.Module, other: nn.Module) -> float:
        found: list[float] = []
        for batch in self.loaders.evaluation("selection"):
            image = self.arithmetic.move(batch)["image"]
            first, second = (self.task.prediction(self.arithmetic.logits(network, image)) for network in (one, other))
            found += [self.task.agreement(a, b) for a, b in zip(first, second, strict=True)]
        return statistics.fmean(found)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Root mean square of the difference of two answers."""
    return float((one.double() - other.double()).square().mean().sqrt())


def _cpu_seconds(job: Job) -> float:
    """CPU seconds of all phases that made the student."""
    table = read_json(job.folder / "release" / "timing.json", remedy="run prepare again")
    return sum(float(entry["cpu_seconds"]) for entry in table.values())
