"""Where one model stands on a request: what a comparison needs to know of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scripts.attacks.finetuning import FineTuned
from scripts.attacks.recovery import BATCH, spread
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.predict import Rows, predict
from scripts.tasks import Task
from scripts.verify.membership import area
from torch import nn

SETS = ("forget", "retain", "test")
STEPS = 20  # of the attack on retain images
MOST_RETAIN = 256  # retain images that are measured, evenly spread over the set


@dataclass(frozen=True)
class Standing:
    """Means over patients.

    Attributes:
        metric: set -> key metric.
        score: on the forget set minus that on the selection set, nats.
        auc: area under the ROC curve of telling forget from test images by the score; .5 is chance.
        answers: coarse answers to the forget images, one row of numbers.
        attacked: key metric on the forget set after `STEPS` training steps on retain images.
        overlooked: on the test set, see `Task.overlooked`.
    """

    metric: Mapping[str, float]
    score: float
    auc: float
    answers: NDArray[np.float64]
    attacked: float
    overlooked: float


class Standings:
    """Measures models; images are prepared once.

    Args:
        loaders: of the cohort with the request.
    """

    def __init__(self, *, loaders: CohortLoaders, task: Task, arithmetic: Arithmetic) -> None:
        self.loaders, self.task, self.arithmetic = loaders, task, arithmetic

    @cached_property
    def sets(self) -> dict[str, Any]:
        """Set -> its batches."""
        loaders, retain = self.loaders, self.loaders.cohort.retain
        kept = [retain[place] for place in _even(len(retain), MOST_RETAIN)]
        found: dict[str, Any] = {name: loaders.evaluation(name) for name in ("forget", "selection", "test")}
        return found | {"retain": EpochLoader(loaders.prepare(kept), batch_size=loaders.batch_size)}

    @cached_property
    def attacker(self) -> Sequence[dict[str, Any]]:
        """Batches of the retain images that an attacker may have."""
        retain = self.loaders.cohort.retain
        own = self.loaders.prepare([retain[place] for place in spread(len(retain))])
        return list(EpochLoader(self.loaders.patches(own), batch_size=BATCH))

    def of(self, network: nn.Module) -> Standing:
        """Where the model stands."""
        rows = {name: self._rows(network, name) for name in (*SETS, "selection")}
        key = self.task.key_metric
        attack = FineTuned(batches=self.attacker, task=self.task.name, arithmetic=self.arithmetic, steps=STEPS)
        scores = (rows[name].values["score"].double().numpy() for name in ("forget", "test"))
        return Standing(
            metric={name: rows[name].mean(key) for name in SETS},
            score=rows["forget"].mean("score") - rows["selection"].mean("score"),
            auc=area(*scores),
            answers=self._answers(network),
            attacked=self._rows(attack(network), "forget").mean(key),
            overlooked=self.task.overlooked({name: rows["test"].mean(name) for name in rows["test"].values}),
        )

    def _rows(self, network: nn.Module, name: str) -> Rows:
        return predict(network, self.sets[name], task=self.task, arithmetic=self.arithmetic)

    @torch.no_grad()
    def _answers(self, network: nn.Module) -> NDArray[np.float64]:
        images = (self.arithmetic.move(batch)["image"] for batch in self.sets["forget"])
        found = [self.task.answer(self.arithmetic.logits(network, image)) for image in images]
        return torch.cat(found).double().flatten().numpy()


def _even(length: int, most: int) -> list[int]:
    """At most so many places, evenly spread."""
    return sorted({int(place) for place in np.linspace(0, length - 1, min(length, most))}) if length else []


def mean_standing(found: Sequence[Standing]) -> Standing:
    """The mean of several."""
    return Standing(
        metric={name: statistics.fmean(one.metric[name] for one in found) for name in SETS},
        score=statistics.fmean(one.score for one in found),
        auc=statistics.fmean(one.auc for one in found),
        answers=np.mean([one.answers for one in found], axis=0),
        attacked=statistics.fmean(one.attacked for one in found),
        overlooked=statistics.fmean(one.overlooked for one in found),
    )
