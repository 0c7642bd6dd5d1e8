"""Finds the recipe: candidates are tried on mock requests, and what is left of them after each round goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from scripts.attacks.finetuning import FineTuned
from scripts.attacks.recovery import BATCH, spread
from scripts.cohort.cohort import Cohort, Record, units
from scripts.cohort.loaders import CohortLoaders
from scripts.cohort.membership import salted
from scripts.data.datasets import EpochLoader
from scripts.engines.agreement import agreement
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import predict
from scripts.errors import InputError
from scripts.files import read_json
from scripts.pool.candidates import Candidate
from scripts.pool.trial import Measured, Trial
from scripts.references.controls import write_request
from scripts.references.jobs import Job, digest
from scripts.references.pairs import Pairs
from scripts.references.qualification import refuse_shared_seed
from scripts.tasks import Task

MOST = 4  # patients of a mock request
KEEP = 2  # candidates of each method that go on to the other mock requests
ATTACK_STEPS = 20


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
    """Of one mock request: teacher, measuring model, that model after the attack, and both models' coarse answers."""

    teacher: Scored
    measure: Scored
    attacked: Scored
    retain: float
    teacher_answers: torch.Tensor
    answers: torch.Tensor


class Calibration:
    """Tries candidates on mock requests.

    Args:
        pairs_for: candidate -> the procedure that makes its student.
        cohort: without a request: everybody is retained.
        loaders: of that cohort.
        network: the architecture; it is copied.
        teacher: file of the teacher.
        requests: number of mock requests, each of another fold.
        seed: of the patients that are drawn, and of the measuring models.
    """

    def __init__(
        self,
        *,
        pairs_for: Callable[[Candidate | None], Pairs],
        cohort: Cohort,
        loaders: CohortLoaders,
        network: nn.Module,
        teacher: Path,
        task: Task,
        arithmetic: Arithmetic,
        requests: int,
        seed: int,
    ) -> None:
        self.pairs_for, self.cohort, self.loaders, self.network = pairs_for, cohort, loaders, network
        self.teacher, self.task, self.arithmetic = teacher, task, arithmetic
        self.requests, self.seed = int(requests), int(seed)
        self._known: dict[str, Fixed] = {}

    def mocks(self) -> list[Mock]:
        """The mock requests: up to half of a fold's patients, at most `MOST`, from as many folds.

        Raises:
            InputError: there are fewer folds than mock requests.
        """
        folds: dict[int, list[str]] = {}
        for patient in units(self.cohort.retain):
            if (fold := self.cohort.folds.get(patient, -1)) >= 0:
                folds.setdefault(fold, []).append(patient)
        if len(folds) < self.requests:
            raise InputError(f"calibration_requests: {self.requests}: there are patients in {len(folds)} folds only")
        draw = np.random.default_rng(self.seed)
        chosen = sorted(draw.choice(sorted(folds), self.requests, replace=False).tolist())
        return [self._mock(fold, folds[fold], draw) for fold in chosen]

    def _mock(self, fold: int, patients: Sequence[str], draw: np.random.Generator) -> Mock:
        count = min(MOST, max(1, len(patients) // 2))
        asked = sorted(draw.choice(sorted(patients), count, replace=False).tolist())
        records = tuple(record for record in self.cohort.retain if record["patient_id"] in asked)
        pairs = self.pairs_for(None)
        key = digest(["mock", asked])
        request = pairs.folder / "mock" / f"request_{key[:16]}.csv"
        write_request(request, name="mock", patients=asked)
        contents = {patient: pairs.contents["retain"][patient] for patient in asked}
        folds = len(set(self.cohort.folds.values()))
        refuse_shared_seed(pairs.fold_dir, fold, seed=pairs.first_seed)
        measure = pairs.fold_out(fold, folds=folds, seed=pairs.first_seed)
        return Mock(records=records, request=request, key=digest(contents), measure=measure)

    def patients(self, mocks: Sequence[Mock]) -> list[str]:
        """The patients of the mock requests as salted digests."""
        recorded = self.cohort.recorded
        if recorded is None:
            return []
        asked = {record["patient_id"] for mock in mocks for record in mock.records}
        return sorted(salted(recorded.salt, "patient", patient) for patient in asked)

    def run(self, candidates: Sequence[Candidate], mocks: Sequence[Mock], *, until: float) -> list[Trial]:
        """Trials, the best first: all candidates on the first mock request, the best of each method on the others.

        Args:
            until: time of `time.monotonic` after which nothing new is begun; what was tried by then is ranked.
        """
        trials = [Trial(one, self._tried(one, mocks[:1])) for one in candidates if time.monotonic() < until]
        ranked: list[Trial] = []
        for method in dict.fromkeys(trial.candidate.method for trial in trials):
            own = sorted((trial for trial in trials if trial.candidate.method == method), key=Trial.order)
            ranked += [self._further(trial, mocks[1:], until) for trial in own[:KEEP]] + own[KEEP:]
        # What was tried on fewer mock requests is known less well.
        return sorted(ranked, key=lambda trial: (-len(trial.measured), trial.order()))

    def _further(self, trial: Trial, mocks: Sequence[Mock], until: float) -> Trial:
        measured = list(trial.measured)
        for mock in mocks:
            if time.monotonic() < until:
                measured += self._tried(trial.candidate, [mock])
        return Trial(trial.candidate, measured)

    def _tried(self, candidate: Candidate, mocks: Sequence[Mock]) -> list[Measured]:
        found = []
        for mock in mocks:
            job = self.pairs_for(candidate).mock(self.teacher, mock.request, mock.key)
            job.run()
            found.append(self._measured(job, mock))
            print(f"prepare: {candidate.told}: {Trial(candidate, found[-1:]).told()}", flush=True)
        return found

    def _measured(self, job: Job, mock: Mock) -> Measured:
        fixed = self._fixed(mock)
        student = self._placed(job.weights)
        own, attacked = self._scored(student, mock), self._scored(self._attacked(student, mock), mock)
        retain = self._key_metric(student, self._batches(self._spread(mock)))
        kept = (retain - fixed.retain, own.selection - fixed.measure.selection)
        answers = self._answers(student, self._batches(mock.records))
        return Measured(
            score=(fixed.teacher.score, own.score, fixed.measure.score),
            metric=(fixed.teacher.metric, own.metric, fixed.measure.metric),
            distance=(_apart(fixed.teacher_answers, fixed.answers), _apart(answers, fixed.answers)),
            kept=kept,
            agreement=self._agreement(student, self._placed(self.teacher), self.loaders.evaluation("selection")),
            attacked_score=(attacked.score, fixed.attacked.score),
            attacked_metric=(attacked.metric, fixed.attacked.metric),
            seconds=_cpu_seconds(job),
        )

    def _fixed(self, mock: Mock) -> Fixed:
        """What is the same for every candidate."""
        if mock.key not in self._known:
            teacher, measure = self._placed(self.teacher), self._placed(mock.measure.weights)
            asked = self._batches(mock.records)
            self._known[mock.key] = Fixed(
                teacher=self._scored(teacher, mock),
                measure=self._scored(measure, mock),
                attacked=self._scored(self._attacked(measure, mock), mock),
                retain=self._key_metric(measure, self._batches(self._spread(mock))),
                teacher_answers=self._answers(teacher, asked),
                answers=self._answers(measure, asked),
            )
        return self._known[mock.key]

    def _scored(self, network: nn.Module, mock: Mock) -> Scored:
        asked, selection = (
            predict(network, batches, task=self.task, arithmetic=self.arithmetic)
            for batches in (self._batches(mock.records), self.loaders.evaluation("selection"))
        )
        key = self.task.key_metric
        return Scored(asked.mean("score") - selection.mean("score"), asked.mean(key), selection.mean(key))

    def _placed(self, path: Path) -> nn.Module:
        return place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)

    def _batches(self, records: Sequence[Record]) -> EpochLoader:
        return EpochLoader(self.loaders.prepare(records), batch_size=self.loaders.batch_size)

    def _key_metric(self, network: nn.Module, batches: Any) -> float:
        """The key metric."""
        rows = predict(network, batches, task=self.task, arithmetic=self.arithmetic)
        return rows.mean(self.task.key_metric)

    def _spread(self, mock: Mock) -> tuple[Record, ...]:
        """Retain images without the mock request's, spread over the set whatever its order."""
        asked = {record["image_id"] for record in mock.records}
        others = tuple(record for record in self.cohort.retain if record["image_id"] not in asked)
        return tuple(others[position] for position in spread(len(others)))

    def _attacked(self, student: nn.Module, mock: Mock) -> nn.Module:
        batches = list(EpochLoader(self.loaders.prepare(self._spread(mock)), batch_size=BATCH))
        attack = FineTuned(batches=batches, task=self.task.name, arithmetic=self.arithmetic, steps=ATTACK_STEPS)
        return attack(student)

    @torch.no_grad()
    def _answers(self, network: nn.Module, batches: Any) -> torch.Tensor:
        moved = [self.arithmetic.move(batch)["image"] for batch in batches]
        return torch.cat([self.task.answer(self.arithmetic.logits(network, image)) for image in moved])

    @torch.no_grad()
    def _agreement(self, one: nn.Module, other: nn.Module, batches: Any) -> float:
        found: list[float] = []
        for batch in batches:
            image = self.arithmetic.move(batch)["image"]
            first, second = (self.task.prediction(self.arithmetic.logits(network, image)) for network in (one, other))
            found += [agreement(a, b) for a, b in zip(first, second, strict=True)]
        return statistics.fmean(found)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Root mean square of the difference of two answers."""
    return float((one.double() - other.double()).square().mean().sqrt())


def _cpu_seconds(job: Job) -> float:
    """CPU seconds of all phases that made the student."""
    table: Mapping[str, Any] = read_json(job.folder / "release" / "timing.json", remedy="run prepare again")
    return sum(float(entry["cpu_seconds"]) for entry in table.values())
