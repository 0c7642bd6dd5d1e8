"""The interface of a task: how logits are scored and measured, image by image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from scripts.tasks.margin import Margin

CALIBRATION = 0.25  # part of the retrained models' own calibration error and Brier score that may come on top


class Task(ABC):
    """Scores and measures of logits against labels; everything in float32, one value an image."""

    name: str
    key_metric: str
    """The measure, higher is better, that selects checkpoints."""
    measures: tuple[str, ...]
    """Names of the per-image measures; an undefined value is NaN and is left out of means."""

    @abstractmethod
    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Membership score (N,), nats, oriented so that *member = high*."""

    @abstractmethod
    def measure(self, logits: torch.Tensor, label: torch.Tensor, *, surface: bool = True) -> dict[str, torch.Tensor]:
        """Per-image measures, each (N,).

        Args:
            surface: also the costly boundary distances.
        """

    @abstractmethod
    def margin(self, measure: str) -> Margin | None:
        """What the measure may lose against retrained models; None where a verdict does not ask for it."""

    @abstractmethod
    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        """The decision: binary mask (N, 1, ...) or class index (N,)."""

    @abstractmethod
    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """What is said of each image, coarsely and without a label: probabilities (N, cells)."""

    @abstractmethod
    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """The decision, coarsely: (N, cells). Other seeds calibrate probabilities otherwise, and decide alike."""

    def summary(self, labels: Sequence[torch.Tensor], logits: Sequence[torch.Tensor]) -> dict[str, float]:
        """Measures that exist for a set of images only (AUC); none by default."""
        return {}
