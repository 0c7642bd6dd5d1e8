"""What teacher, students and measuring members say of mock requests: scores, decisions, and both after attacks."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scripts.attacks.recovery import NAMES, Attack, build_recoveries
from scripts.cohort.cohort import Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import predict
from scripts.settings import SETTINGS
from scripts.tasks import Task
from scripts.verify.decisions import decided
from torch import nn

Batches = Iterable[dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """Of one model on some images.

    Attributes:
        score: patient -> mean over images, minus the model's own mean on validation images, nats.
        metric: patient -> mean of the key metric.
        decisions: (images, cells), in the order of the records; empty where they were not asked for.
    """

    score: Mapping[str, float]
    metric: Mapping[str, float]
    decisions: np.ndarray

    @classmethod
    def joined(cls, said: Sequence[Said]) -> Said:
        """What was said of the patients of several folds, each by the model that stands for his own."""
        score = {patient: value for one in said for patient, value in one.score.items()}
        metric = {patient: value for one in said for patient, value in one.metric.items()}
        return cls(score, metric, np.concatenate([one.decisions for one in said]))

    def means(self, patients: Iterable[str]) -> list[float]:
        """Score and key metric, mean over the patients."""
        of = sorted(patients)
        return [statistics.fmean(values[patient] for patient in of) for values in (self.score, self.metric)]


@dataclass(frozen=True)
class Part:
    """What is measured of a request's patients of one fold; members are those of that fold.

    Attributes:
        attacked: attack -> unlearned model and members after it.
    """

    teacher: Said
    unlearned: Said
    members: Sequence[Said]
    attacked: Mapping[str, tuple[Said, Sequence[Said]]]

    @classmethod
    def joined(cls, parts: Sequence[Part]) -> Part:
        """Of the whole request: its k-th member is the k-th of each fold, each heard on the patients it never saw."""

        def members(of: Sequence[Sequence[Said]]) -> list[Said]:
            return [Said.joined(own) for own in zip(*of, strict=True)]

        return cls(
            Said.joined([part.teacher for part in parts]),
            Said.joined([part.unlearned for part in parts]),
            members([part.members for part in parts]),
            {
                name: (
                    Said.joined([part.attacked[name][0] for part in parts]),
                    members([part.attacked[name][1] for part in parts]),
                )
                for name in parts[0].attacked
            },
        )

    def row(self) -> dict[str, Any]:
        """Plain JSON without an id: what a verdict is computed from."""
        patients = self.unlearned.score
        decisions = decided(
            unlearned=self.unlearned.decisions,
            teacher=self.teacher.decisions,
            members=np.stack([member.decisions for member in self.members]),
        )
        return {
            "teacher": self.teacher.means(patients),
            "unlearned": self.unlearned.means(patients),
            "members": [member.means(patients) for member in self.members],
            "decisions": asdict(decisions),
            "recovery": {
                name: {
                    "unlearned": unlearned.means(patients),
                    "members": [member.means(patients) for member in members],
                }
                for name, (unlearned, members) in self.attacked.items()
            },
        }


class MockScoring:
    """Runs models.

    Args:
        loaders: of the cohort without a request.
        network: the architecture; it is copied.
        teacher: file of the teacher.

    Attributes:
        steps: of the attacks that train.
    """

    steps = int(SETTINGS["recovery_steps"].default)

    def __init__(
        self,
        *,
        loaders: CohortLoaders,
        network: nn.Module,
        teacher: Path,
        task: Task,
        arithmetic: Arithmetic,
    ) -> None:
        self.loaders, self.network, self.teacher = loaders, network, teacher
        self.task, self.arithmetic = task, arithmetic

    def attacks(self, without: Collection[str]) -> dict[str, Attack]:
        """The whole family of a verdict, tried on every student and every measuring member.

        Args:
            without: patients who are measured: training on them would be no recovery from other patients.
        """
        about: dict[str, Any] = {"loaders": self.loaders, "task": self.task, "arithmetic": self.arithmetic}
        return build_recoveries(NAMES, steps=self.steps, without=without, **about)

    def requests(
        self, requests: Sequence[tuple[Mapping[int, Sequence[Record]], Path]], members: Mapping[int, Sequence[Path]]
    ) -> list[dict[str, Any]]:
        """Of each request, plain JSON without an id; the members of a fold are run once for all requests.

        Args:
            requests: records by fold, and the student, of each.
            members: fold -> files of the models that never saw any of its patients, as many for each.
        """
        parts: list[list[Part]] = [[] for _ in requests]
        for fold, measuring in members.items():
            places = [place for place, (records, _) in enumerate(requests) if fold in records]
            if places:
                measured = self._fold(fold, [requests[place] for place in places], measuring)
                for place, part in zip(places, measured, strict=True):
                    parts[place].append(part)
        return [Part.joined(own).row() for own in parts]

    def _fold(
        self, fold: int, requests: Sequence[tuple[Mapping[int, Sequence[Record]], Path]], members: Sequence[Path]
    ) -> list[Part]:
        """The patients of one fold, of every request that has some."""
        here = [record for records, _ in requests for record in records[fold]]
        patients = {record["patient_id"] for record in here}
        attacks, whole = self.attacks(patients), self._batches(here)
        teacher = self._said(self._placed(self.teacher), whole)
        plain = [self._said(self._placed(path), whole) for path in members]
        attacked = {
            name: [self._said(attack(self._placed(path)), whole, decisions=False) for path in members]
            for name, attack in attacks.items()
        }
        found, start = [], 0
        for records, student in requests:
            own, place = records[fold], slice(start, start + len(records[fold]))
            batches, network = self._batches(own), self._placed(student)
            # Nobody of this student's request is among those it is attacked with.
            elsewhere = {one["patient_id"] for other in records if other != fold for one in records[other]}
            tried = self.attacks(patients | elsewhere) if elsewhere else attacks
            after = {
                name: (self._said(attack(self._placed(student)), batches, decisions=False), attacked[name])
                for name, attack in tried.items()
            }
            members_here = [replace(member, decisions=member.decisions[place]) for member in plain]
            own_teacher = replace(teacher, decisions=teacher.decisions[place])
            found.append(Part(own_teacher, self._said(network, batches), members_here, after))
            start += len(own)
        return found

    def _said(self, network: nn.Module, batches: Batches, *, decisions: bool = True) -> Said:
        rows = predict(network, batches, task=self.task, arithmetic=self.arithmetic)
        held_out = predict(
            network, self.loaders.evaluation("validation"), task=self.task, arithmetic=self.arithmetic
        ).mean("score")
        patients = sorted(set(rows.patient_ids))
        score, metric = (
            dict(zip(patients, rows.patient_means(name).tolist(), strict=True))
            for name in ("score", self.task.key_metric)
        )
        corrected = {patient: value - held_out for patient, value in score.items()}
        return Said(corrected, metric, self._decisions(network, batches) if decisions else np.empty((0, 0)))

    @torch.no_grad()
    def _decisions(self, network: nn.Module, batches: Batches) -> np.ndarray:
        moved = (self.arithmetic.move(batch)["image"] for batch in batches)
        return torch.cat([self.task.decided(self.arithmetic.logits(network, image)) for image in moved]).numpy()

    def _placed(self, path: Path) -> nn.Module:
        return place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)

    def _batches(self, records: Sequence[Record]) -> Batches:
        return EpochLoader(self.loaders.prepare(records), batch_size=self.loaders.batch_size)
