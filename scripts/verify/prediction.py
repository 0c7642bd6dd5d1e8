"""Whether one delivered model could be one more of the retrained models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEAST_REFERENCES = 2


@dataclass(frozen=True)
class PredictionInterval:
    """Where the score of one more retrained model lies, nats: `mean(y_R) -+ t sd_R sqrt(1 + 1/K)`."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of its width, nats: what a model could keep unseen."""
        return (self.high - self.low) / 2

    def holds(self, score: float) -> bool:
        """Whether the delivered model's corrected score lies inside; a NaN does not."""
        return bool(self.low <= score <= self.high)


def prediction_interval(retrained: ArrayLike, *, level: float = 0.99) -> PredictionInterval:
    """Two-sided Gaussian prediction interval from the corrected scores (K,) of K retrained models.

    Raises:
        ValueError: fewer than two references, a value that is not finite, no spread between them, a level out of range.
    """
    scores = np.asarray(retrained, dtype=np.float64)
    if scores.ndim != 1 or len(scores) < LEAST_REFERENCES:
        raise ValueError(f"references: shape {scores.shape}; at least {LEAST_REFERENCES} scores in a row are needed")
    if not np.isfinite(scores).all():
        raise ValueError("references: a score is not a finite number")
    if not 0 < level < 1:
        raise ValueError(f"level: {level} is not between 0 and 1")
    deviation = float(scores.std(ddof=1))
    if deviation <= 1e-12 * max(1.0, float(np.abs(scores).max())):
        raise ValueError("references: all scores are the same; models of different seeds are needed")
    half = float(stats.t.ppf((1 + level) / 2, len(scores) - 1)) * deviation * np.sqrt(1 + 1 / len(scores))
    return PredictionInterval(low=float(scores.mean() - half), high=float(scores.mean() + half))
