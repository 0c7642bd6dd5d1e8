"""Scores and measures of a pool's models on one request's images."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from scripts.attacks.relearning import Relearning
from scripts.cohort.cohort import Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import Rows, predict
from scripts.tasks import Task
from torch import nn

SETS = ("forget", "validation", "test")
GROUPS = ("sex", "age", "site", "diagnosis")
PLACES = 4  # of a probability
AGE_BANDS = (40, 60)  # years, lower ends
AGE_STRING = re.compile(r"\d{1,3}[DWMY]")
PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}  # units of DICOM's Age String in a year


class Scoring:
    """Runs models on the forget, validation and test images.

    Args:
        network: the architecture; it is copied.
        surface: also HD95 and NSD.
    """

    def __init__(
        self,
        *,
        loaders: CohortLoaders,
        network: nn.Module,
        task: Task,
        arithmetic: Arithmetic,
        surface: bool = False,
    ) -> None:
        self.loaders, self.network, self.task, self.arithmetic = loaders, network, task, arithmetic
        self.surface = bool(surface)
        self._sets = {name: loaders.evaluation(name) for name in SETS if loaders.cohort.named(name)}

    def images(self) -> dict[str, dict[str, Any]]:
        """Set -> image and patient ids and groups, in the order of the scores: patient data."""
        found = {}
        for name in self._sets:
            records = self.loaders.cohort.named(name)
            found[name] = {
                "images": [record["image_id"] for record in records],
                "patients": [record["patient_id"] for record in records],
                "groups": groups(records),
            }
        return found

    def model(self, path: str | Path) -> dict[str, Any]:
        """Set -> measure -> one value an image, `score` in nats; and `answers`, of each forget image."""
        network = place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)
        order = self.images()
        found: dict[str, Any] = {}
        for name, loader in self._sets.items():
            rows = predict(
                network,
                loader,
                task=self.task,
                arithmetic=self.arithmetic,
                surface=self.surface and name != "forget",
            )
            if rows.image_ids != order[name]["images"]:
                raise RuntimeError(f"{name}: the loader's order is not the set's")
            found[name] = {measure: plain(values.tolist()) for measure, values in rows.values.items()}
        found["answers"] = self._answers(network)
        return found

    def corrected(self, path: str | Path) -> float:
        """Mean score of the forget patients minus that of the validation patients, nats."""
        return self._corrected(place_teacher(network=self.network, path=path, arithmetic=self.arithmetic))

    def attacked(self, path: str | Path, attack: Callable[[nn.Module], nn.Module]) -> tuple[float, float]:
        """The same after an attack, and the mean of the key metric on the forget images."""
        network = attack(place_teacher(network=self.network, path=path, arithmetic=self.arithmetic))
        forget, validation = (self._rows(network, name) for name in ("forget", "validation"))
        return forget.mean("score") - validation.mean("score"), forget.mean(self.task.key_metric)

    def relearned(self, path: str | Path, relearning: Relearning) -> list[float]:
        """The same before relearning and at each look."""
        network = place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)
        return relearning(network, self._corrected)

    def corrected_of(self, path: str | Path, records: Sequence[Record]) -> float:
        """The same for other records than the forget set: those of one patient."""
        network = place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)
        loader = EpochLoader(self.loaders.prepare(records), batch_size=self.loaders.batch_size)
        own, validation = (
            predict(network, batches, task=self.task, arithmetic=self.arithmetic).mean("score")
            for batches in (loader, self._sets["validation"])
        )
        return own - validation

    @torch.no_grad()
    def disagreements(self, paths: Sequence[Path]) -> list[list[float]]:
        """Between every two models: mean over validation images of 1 - Dice of their decisions; classes: whether
        they differ. No label is used."""
        networks = [place_teacher(network=self.network, path=path, arithmetic=self.arithmetic) for path in paths]
        apart: list[list[list[float]]] = [[[] for _ in networks] for _ in networks]
        # Batch by batch: the decisions of all images at once would not fit where these are volumes.
        for batch in self._sets["validation"]:
            images = self.arithmetic.move(batch)["image"]
            decided = [self.task.prediction(self.arithmetic.logits(network, images)).cpu() for network in networks]
            for row, one in zip(apart, decided, strict=True):
                for cell, other in zip(row, decided, strict=True):
                    cell += [1 - self.task.agreement(a, b) for a, b in zip(one, other, strict=True)]
        return [[statistics.fmean(cell) for cell in row] for row in apart]

    def agreement(self, model: Path, others: Sequence[Path]) -> list[float]:
        """Of each other model with this one on validation images: Dice of decisions, or share of equal classes."""
        return [1 - apart for apart in self.disagreements([model, *others])[0][1:]]

    @torch.no_grad()
    def _answers(self, network: nn.Module) -> list[list[float]]:
        """(images, cells) of the forget set, to four places."""
        rows = [
            self.task.answer(self.arithmetic.logits(network, self.arithmetic.move(batch)["image"]))
            for batch in self._sets["forget"]
        ]
        return [[round(value, PLACES) for value in row] for row in torch.cat(rows).tolist()]

    def _corrected(self, network: nn.Module) -> float:
        return self._rows(network, "forget").mean("score") - self._rows(network, "validation").mean("score")

    def _rows(self, network: nn.Module, name: str) -> Rows:
        return predict(network, self._sets[name], task=self.task, arithmetic=self.arithmetic)


def groups(records: Sequence[Record]) -> dict[str, list[str]]:
    """Attribute -> each image's group, empty where it is not known; attributes that no record has are left out.

    The data's own words, for `private/` alone: in a release groups bear agreed names or numbers.
    """
    found = {name: [_group(name, record.get(name)) for record in records] for name in GROUPS}
    lost = sum(
        record.get("age") not in (None, "") and not band for record, band in zip(records, found["age"], strict=True)
    )
    if lost:
        print(f"warning: the age of {lost} images is not understood; they are in no age group", flush=True)
    return {name: values for name, values in found.items() if any(values)}


def age_years(value: Any) -> float | None:
    """Years from a number, its text, or DICOM's Age String (045Y, 018M, 003W, 010D); None: not understood.

    Ages outside of 0 to 150 years are not understood either.
    """
    text = str(value).strip().upper()
    try:
        if AGE_STRING.fullmatch(text):
            years = int(text[:-1]) / PER_YEAR[text[-1]]
        else:
            years = float(text)
    except ValueError:
        return None
    return years if 0 <= years <= 150 and not isinstance(value, bool) else None


def _group(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name != "age":
        return str(value).strip()
    if (years := age_years(value)) is None:
        return ""
    young, old = AGE_BANDS
    return f"below {young}" if years < young else f"{young} to {old - 1}" if years < old else f"{old} and above"


def plain(values: Sequence[float]) -> list[float | None]:
    """For JSON, which knows no NaN: what is not finite is None, which no statistic takes."""
    return [value if math.isfinite(value) else None for value in values]
