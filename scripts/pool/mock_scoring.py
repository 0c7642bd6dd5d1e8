"""What teacher, students and measuring members say of mock requests: scores, decisions, and both after attacks."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

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

Batches = Sequence[dict[str, Any]]


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
            without: patients of mock requests: training on them would be no recovery from other patients.
        """
        about: dict[str, Any] = {"loaders": self.loaders, "task": self.task, "arithmetic": self.arithmetic}
        return build_recoveries(NAMES, steps=self.steps, without=without, **about)

    def fold(self, requests: Sequence[tuple[Sequence[Record], Path]], members: Sequence[Path]) -> list[dict[str, Any]]:
        """Of each request of one fold, plain JSON without an id; the members are run once for all of them.

        Args:
            requests: records and student of each.
            members: files of the models that never saw any of the records.
        """
        sizes = [len(records) for records, _ in requests]
        attacks = self.attacks({record["patient_id"] for records, _ in requests for record in records})
        whole = self._batches([record for records, _ in requests for record in records])
        teacher = self._said(self._placed(self.teacher), whole)
        plain = [self._said(self._placed(path), whole) for path in members]
        attacked = {
            name: [self._said(attack(self._placed(path)), whole, decisions=False) for path in members]
            for name, attack in attacks.items()
        }
        found, start = [], 0
        for (records, student), size in zip(requests, sizes, strict=True):
            place = slice(start, start + size)
            found.append(self._request(records, student, place, teacher, plain, attacks, attacked))
            start += size
        return found

    def _request(
        self,
        records: Sequence[Record],
        student: Path,
        place: slice,
        teacher: Said,
        members: Sequence[Said],
        attacks: Mapping[str, Attack],
        attacked: Mapping[str, Sequence[Said]],
    ) -> dict[str, Any]:
        patients = sorted({record["patient_id"] for record in records})
        batches, network = self._batches(records), self._placed(student)
        own = self._said(network, batches)

        def mean(values: Mapping[str, float]) -> float:
            return statistics.fmean(values[patient] for patient in patients)

        decisions = decided(
            unlearned=own.decisions,
            teacher=teacher.decisions[place],
            members=np.stack([member.decisions[place] for member in members]),
        )
        recovery = {}
        for name, attack in attacks.items():
            after = self._said(attack(self._placed(student)), batches, decisions=False)
            recovery[name] = {
                "unlearned": [mean(after.score), mean(after.metric)],
                "members": [[mean(member.score), mean(member.metric)] for member in attacked[name]],
            }
        return {
            "teacher": [mean(teacher.score), mean(teacher.metric)],
            "unlearned": [mean(own.score), mean(own.metric)],
            "members": [[mean(member.score), mean(member.metric)] for member in members],
            "decisions": asdict(decisions),
            "recovery": recovery,
        }

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
        moved = [self.arithmetic.move(batch)["image"] for batch in batches]
        return torch.cat([self.task.decided(self.arithmetic.logits(network, image)) for image in moved]).numpy()

    def _placed(self, path: Path) -> nn.Module:
        return place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)

    def _batches(self, records: Sequence[Record]) -> Batches:
        return list(EpochLoader(self.loaders.prepare(records), batch_size=self.loaders.batch_size))
