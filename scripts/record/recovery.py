"""How much of what was forgotten comes back when somebody attacks the weights, beside models that never knew it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from scripts.attacks.recovery import Attempt, build_attempts, spread
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.predict import Rows, predict
from scripts.tasks import Task
from scripts.verify.forgetting import recovered_share
from torch import nn

FOLD_TEACHER = "fold_teacher"
CORRECTED = "corrected_score"

# Networks that are one row together, each with the forget images that it is asked for; None: all of them.
Subject = Sequence[tuple[nn.Module, Collection[str] | None]]


class Recovery:
    """Attack copies of the models, and measure the key metric and the membership score on the forget set.

    The same images in the same order for every model. Of the fold teachers each is asked for the forget patients that
    it never saw; per image the mean over a fold's members is taken, as of one model.

    Training makes every model surer of every image, of those that it never saw too: the raw score rises in fold
    teachers as well. What came back is therefore read from the corrected score, `mean over forget - mean over control`
    in nats, the control being at most 64 validation images. No other set is measured.

    Args:
        names: the attacks, see `build_attempts`; empty: nothing is attacked.
        fold_teachers: fold -> its members; None or empty: there is no such row.
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        loaders: CohortLoaders,
        task: Task,
        arithmetic: Arithmetic,
        fold_teachers: Mapping[int, Sequence[nn.Module]] | None = None,
    ) -> None:
        self.names, self.loaders, self.task, self.arithmetic = tuple(names), loaders, task, arithmetic
        self.fold_teachers = dict(fold_teachers or {})

    def measure(self, models: Mapping[str, nn.Module], before: Mapping[str, Mapping[str, Rows]]) -> dict[str, Any]:
        """Model -> attack -> its figures; an attack that could not be made is None.

        `recovered_<measure> = (after - before) / (teacher before - before)`, of means per image, then per patient; for
        the score of corrected scores. None where there is no gap to speak of.

        Args:
            models: name -> plain network, the teacher among them.
            before: name -> set -> rows, the forget set among them.
        """
        if not self.names or "forget" not in before.get("teacher", {}):
            return {}
        attempts = build_attempts(self.names, loaders=self.loaders, task=self.task, arithmetic=self.arithmetic)
        subjects: dict[str, Subject] = {name: [(network, None)] for name, network in models.items()}
        control = {self.loaders.cohort.validation[place]["image_id"] for place in self._control()}
        plain = {
            name: corrected(sets["forget"], kept(sets.get("validation", Rows()), control))
            for name, sets in before.items()
        }
        if self.fold_teachers:
            members = subjects[FOLD_TEACHER] = self._members()
            plain[FOLD_TEACHER] = pooled([self._rows(network, images) for network, images in members])
        found: dict[str, Any] = {}
        for name, subject in subjects.items():
            figures: dict[str, Any] = dict.fromkeys(self.names)
            for attempt in attempts:
                own, teacher = (kept(plain[which], attempt.measured) for which in (name, "teacher"))
                for attack, after in self._attacked(subject, attempt).items():
                    figures[attack] = self._figures(teacher=teacher, before=own, after=after)
            found[name] = figures
        return found

    def _members(self) -> Subject:
        cohort = self.loaders.cohort
        images = {
            fold: {record["image_id"] for record in cohort.forget if cohort.fold_of(record) == fold}
            for fold in self.fold_teachers
        }
        return [(network, images[fold]) for fold, members in self.fold_teachers.items() for network in members]

    def _attacked(self, subject: Subject, attempt: Attempt) -> dict[str, Rows]:
        """Attack -> rows, pooled over the networks of the subject."""
        parts: dict[str, list[Rows]] = {name: [] for name in attempt.names}
        for network, images in subject:
            bounds = [set(ids) for ids in (images, attempt.measured) if ids is not None]
            wanted = set.intersection(*bounds) if bounds else None
            if bounds and not wanted:
                continue  # none of this fold's images is measured
            for name, changed in zip(attempt.names, attempt.networks(network), strict=True):
                parts[name].append(self._rows(changed, wanted))
        return {name: pooled(rows) for name, rows in parts.items()}

    def _rows(self, network: nn.Module, images: Collection[str] | None) -> Rows:
        """Rows of the forget images with these ids, with the corrected score."""
        forget = self.loaders.cohort.forget
        positions = [i for i, record in enumerate(forget) if images is None or record["image_id"] in images]
        return corrected(
            self._predicted(network, "forget", positions), self._predicted(network, "validation", self._control())
        )

    def _predicted(self, network: nn.Module, name: str, positions: Sequence[int]) -> Rows:
        if not positions:
            return Rows()
        loader = EpochLoader(self.loaders.part(name, positions), batch_size=self.loaders.batch_size)
        return predict(network, loader, task=self.task, arithmetic=self.arithmetic)

    def _control(self) -> list[int]:
        return spread(len(self.loaders.cohort.validation))

    def _figures(self, *, teacher: Rows, before: Rows, after: Rows) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for name in (self.task.key_metric, "score", CORRECTED):
            found[f"{name}_before"], found[name] = _finite(before.mean(name)), _finite(after.mean(name))
        for name, measure in ((self.task.key_metric, self.task.key_metric), ("score", CORRECTED)):
            own, other, new = (rows.mean(measure) for rows in (before, teacher, after))
            found[f"recovered_{name}"] = recovered_share(teacher=other, before=own, after=new)
        return found


def corrected(rows: Rows, control: Rows) -> Rows:
    """The rows with one more value, `corrected_score`: minus the control's mean score; NaN where it is empty."""
    values = {**rows.values, CORRECTED: rows.values["score"] - control.mean("score")}
    return Rows(image_ids=rows.image_ids, patient_ids=rows.patient_ids, values=values)


def kept(rows: Rows, images: Collection[str] | None) -> Rows:
    """The rows of some images; None: all."""
    if images is None:
        return rows
    places = [place for place, image in enumerate(rows.image_ids) if image in images]
    return Rows(
        image_ids=[rows.image_ids[place] for place in places],
        patient_ids=[rows.patient_ids[place] for place in places],
        values={name: values[places] for name, values in rows.values.items()},
    )


def pooled(parts: Sequence[Rows]) -> Rows:
    """Per image the mean over those of `parts` that hold it, sorted by image."""
    patients = {
        image: patient for rows in parts for image, patient in zip(rows.image_ids, rows.patient_ids, strict=True)
    }
    images = sorted(patients)
    found = Rows(image_ids=images, patient_ids=[patients[image] for image in images])
    for name in parts[0].values if parts else ():
        values: dict[str, list[float]] = {image: [] for image in images}
        for rows in parts:
            for image, value in zip(rows.image_ids, rows.values[name].tolist(), strict=True):
                values[image].append(value)
        means = [sum(own) / len(own) for own in values.values()]
        found.values[name] = torch.tensor(means, dtype=torch.float64)
    return found


def _finite(value: float) -> float | None:
    """For JSON, which knows no NaN: what a model gives whose training diverged."""
    return value if math.isfinite(value) else None
