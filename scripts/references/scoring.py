"""Scores and measures of a pool's models on one request's images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from scripts.cohort.loaders import CohortLoaders
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import predict
from scripts.tasks import Task

SETS = ("forget", "validation", "test")


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

    def images(self) -> dict[str, dict[str, list[str]]]:
        """Set -> image and patient ids, in the order of the scores: patient data."""
        found = {}
        for name in self._sets:
            records = self.loaders.cohort.named(name)
            found[name] = {
                "images": [record["image_id"] for record in records],
                "patients": [record["patient_id"] for record in records],
            }
        return found

    def model(self, path: str | Path) -> dict[str, Any]:
        """Set -> measure -> one value an image; `score` in nats."""
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
            found[name] = {
                measure: [None if value != value else value for value in values.tolist()]
                for measure, values in rows.values.items()
            }
        return found

    def corrected(self, path: str | Path, change: Callable[[nn.Module], nn.Module] | None = None) -> float:
        """Mean score of the forget patients minus that of the validation patients, nats.

        Args:
            change: what is done to the network before.
        """
        network = place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)
        if change is not None:
            network = change(network)
        means = [
            predict(network, self._sets[name], task=self.task, arithmetic=self.arithmetic).mean("score")
            for name in ("forget", "validation")
        ]
        return means[0] - means[1]
