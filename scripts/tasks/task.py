"""The interface of a task: the mathematics of logits and labels. No other room asks which task it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from scripts.tasks.margin import Margin

CALIBRATION = 0.25  # part of the retrained models' own calibration error and Brier score that may come on top


class Task(ABC):
    """Logits z (N, C, ...) and labels y; everything in float32."""

    name: str
    key_metric: str
    """The measure, higher is better, that selects checkpoints."""
    measures: tuple[str, ...]
    """Names of the per-image measures; an undefined value is NaN and is left out of means."""
    overlap: str
    """The measure that `goal: suppress` lowers to its bound."""
    masks: bool
    """Whether a label is an image: transforms move it along with the picture, and it can be drawn over it."""
    graded: bool = False
    """Whether such an image holds intensities, and not structures."""
    exclusive: bool
    """Whether one of the structures or classes excludes the others: one number then says which it is."""
    background: bool
    """Whether an answer can be that there is nothing."""
    entropy_weight: float
    """Weight of the uniform target where none is given."""

    # -- answers

    @abstractmethod
    def problem(self, logits: torch.Tensor) -> str:
        """Why logits of this shape are none of this task, in words; empty where they are."""

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """Output channels of a network, for a number of structures or classes."""

    @abstractmethod
    def classes(self, outputs: int) -> int:
        """Structures or classes for which a network has these output channels."""

    @abstractmethod
    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities, shaped as the logits."""

    @abstractmethod
    def mean_of(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (N, C, ...) of the mean probability of M models, from theirs (M, N, C, ...), up to a constant that
        probabilities do not feel."""

    @abstractmethod
    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        """The decision: masks (N, S, ...) in {0, 1}, or class index (N,)."""

    @abstractmethod
    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """What is said of each image, coarsely and without a label: probabilities (N, cells)."""

    def agreement(self, one: torch.Tensor, other: torch.Tensor) -> float:
        """How alike two decisions on one image are: Dice of masks, 1 where both are empty; of classes whether equal.

        Args:
            one, other: of one image, as `prediction` gives them.
        """
        if not one.ndim:
            return float(one == other)
        both, first, second = (float(mask.sum(dtype=torch.float64)) for mask in (one * other, one, other))
        return 2 * both / (first + second) if first + second else 1.0

    @abstractmethod
    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """The decision, coarsely: (N, cells). Other seeds calibrate probabilities otherwise, and decide alike."""

    # -- losses

    @abstractmethod
    def loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The loss of ordinary training (N,).

        Raises:
            InputError: logits of another task.
        """

    @abstractmethod
    def ceiling(self, logits: torch.Tensor) -> float:
        """The supervised loss of one who guesses, at which ascent stops."""

    @abstractmethod
    def distil(self, logits: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """Soft targets at temperature T, scalar: T^2 times the cross-entropy, or divergence, to softened answers."""

    @abstractmethod
    def fit(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Cross-entropy to labels, scalar."""

    @abstractmethod
    def departure(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """How far each answer is from the teacher's (N,): 0 where they are one, whatever the image shows."""

    @abstractmethod
    def uniform(self, logits: torch.Tensor) -> torch.Tensor:
        """Cross-entropy, or divergence, to an answer that prefers nothing, scalar."""

    @abstractmethod
    def suppression(
        self, logits: torch.Tensor, label: torch.Tensor | None, teacher: torch.Tensor | None, *, bound: float
    ) -> torch.Tensor:
        """(N,): -log(1 - p) of what is to be taken away, 0 for an image that is at the bound already.

        Args:
            label: where unknown, what the teacher decides stands in for it; one of both is given.
        """

    def void(self, logits: torch.Tensor) -> torch.Tensor:
        """-log of the probability that there is nothing, (N, 1, ...); tasks with a background alone."""
        raise NotImplementedError(f"{self.name} has no background")

    def presence(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability that there is something, (N, 1, ...); tasks with a background alone."""
        raise NotImplementedError(f"{self.name} has no background")

    # -- drawn targets, of one image

    @abstractmethod
    def random_target(self, label: torch.Tensor, *, outputs: int, generator: torch.Generator) -> torch.Tensor:
        """A label that has nothing to do with the image, shaped as `label`."""

    @abstractmethod
    def noisy_target(
        self, label: torch.Tensor, *, outputs: int, displacement: float, flip: float, generator: torch.Generator
    ) -> torch.Tensor:
        """The label with the kind of error that another rater makes.

        Args:
            displacement: standard deviation, pixels, by which boundaries move.
            flip: probability of another class.
        """

    # -- measures, one value an image

    @abstractmethod
    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Membership score (N,), nats, oriented so that *member = high*."""

    @abstractmethod
    def measure(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        *,
        surface: bool = True,
        spacing: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Per-image measures, each (N,).

        Args:
            surface: also what costs more: boundary distances, and lesions one by one.
            spacing: (N, spatial dimensions), mm of a pixel; where it is not known distances are in pixels.
        """

    @abstractmethod
    def overlooked(self, means: Mapping[str, float]) -> float:
        """Share of what is there that is not found, 0 to 1, the dangerous direction in a clinic.

        Args:
            means: measure -> its mean over patients.
        """

    @abstractmethod
    def margin(self, measure: str) -> Margin | None:
        """What the measure may lose against retrained models; None where a verdict does not ask for it."""

    @abstractmethod
    def guarded(self, classes: int) -> dict[str, Margin]:
        """All measures for which a verdict asks, of so many structures or classes."""

    def summary(self, labels: Sequence[torch.Tensor], logits: Sequence[torch.Tensor]) -> dict[str, float]:
        """Measures that exist for a set of images only (AUC); none by default."""
        return {}

    @property
    def summarises(self) -> bool:
        """Whether there are any: the logits of a whole set are kept for them."""
        return type(self).summary is not Task.summary
