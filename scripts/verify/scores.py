"""Scores of a pool of models on one request: what the verdict is made from. Images and patients by number only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ModelScores:
    """One score an image, nats, *member = high*.

    Attributes:
        forget: (images,).
        validation: (images,), of images that nobody trained on.
        answers: (images, cells), probabilities that the model gives on each forget image, coarsely; None: not taken.
    """

    forget: Array
    validation: Array
    answers: Array | None = None

    @classmethod
    def of(cls, forget: ArrayLike, validation: ArrayLike, answers: ArrayLike | None = None) -> ModelScores:
        """From any sequences of numbers."""
        one, other = np.asarray(forget, dtype=np.float64), np.asarray(validation, dtype=np.float64)
        return cls(one, other, None if answers is None else np.asarray(answers, dtype=np.float64))


class RequestScores:
    """Originals, unlearned and retrained models, pair by pair, and the delivered model.

    Args:
        patients: of each forget image, a number from 0.
        validation_patients: of each validation image.
        original, unlearned, retrained: one a pair.
        delivered: the model that is to be released; None where only the procedure is judged.
        teacher: its original.

    Raises:
        ValueError: numbers of images that differ, no image, a score that is not finite.
    """

    def __init__(
        self,
        *,
        patients: Sequence[int],
        validation_patients: Sequence[int],
        original: Sequence[ModelScores],
        unlearned: Sequence[ModelScores],
        retrained: Sequence[ModelScores],
        delivered: ModelScores | None = None,
        teacher: ModelScores | None = None,
    ) -> None:
        self.patients = np.asarray(patients, dtype=np.int64)
        self.validation_patients = np.asarray(validation_patients, dtype=np.int64)
        for name, set_ in (("forget", self.patients), ("validation", self.validation_patients)):
            if set_.ndim != 1 or not len(set_):
                raise ValueError(f"{name}: no images")
        self.models = {"original": list(original), "unlearned": list(unlearned), "retrained": list(retrained)}
        self.delivered, self.teacher = delivered, teacher
        apart = {name: [one] for name, one in (("delivered", delivered), ("teacher", teacher)) if one is not None}
        for name, models in (*self.models.items(), *apart.items()):
            for model in models:
                if model.forget.shape != self.patients.shape:
                    raise ValueError(f"{name}: {model.forget.shape} forget scores for {len(self.patients)} images")
                if model.validation.shape != self.validation_patients.shape:
                    raise ValueError(
                        f"{name}: {model.validation.shape} validation scores for {len(self.validation_patients)} images"
                    )
                if not (np.isfinite(model.forget).all() and np.isfinite(model.validation).all()):
                    raise ValueError(f"{name}: a score is not a finite number")
                if model.answers is not None and not np.isfinite(model.answers).all():
                    raise ValueError(f"{name}: an answer is not a finite number")

    @property
    def patient_count(self) -> int:
        """Patients to forget."""
        return len(np.unique(self.patients))

    def level(self, model: ModelScores) -> float:
        """Mean over validation patients of their mean scores: what other seeds differ by in calibration."""
        return float(patient_means(model.validation, self.validation_patients).mean())

    def images(self, name: str, *, corrected: bool = True) -> Array:
        """(models, images) scores of the forget set, each model minus its own level."""
        return np.stack([self.by_image(model, corrected=corrected) for model in self.models[name]])

    def by_image(self, model: ModelScores, *, corrected: bool = True) -> Array:
        """(images,) scores of the forget set."""
        return model.forget - corrected * self.level(model)

    def answers(self, name: str) -> Array | None:
        """(models, images * cells) answers on the forget set; None where a model of the pool has none."""
        found = [model.answers for models in self.models.values() for model in models]
        if any(one is None for one in found):
            return None
        return np.stack([np.ravel(model.answers) for model in self.models[name]])  # type: ignore[arg-type]

    def by_patient(self, model: ModelScores, *, corrected: bool = True) -> Array:
        """(patients,) mean scores of the forget set."""
        return patient_means(model.forget, self.patients) - corrected * self.level(model)

    def means(self, name: str, *, corrected: bool = True) -> Array:
        """(models,) y: mean over patients of the forget set."""
        return np.array([self.by_patient(model, corrected=corrected).mean() for model in self.models[name]])


def patient_means(values: Array, patients: NDArray[np.int64]) -> Array:
    """Mean of each patient's images, patients in order."""
    _, position, counts = np.unique(patients, return_inverse=True, return_counts=True)
    return np.bincount(position, weights=values) / counts
