"""Membership attacks from scores alone: what they gain on unlearned models, beside the same on retrained ones.

They inform and do not decide: their random factor is the image, not the training seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scripts.verify.scores import ModelScores, RequestScores

LEAST_REFERENCES = 3  # out-models of LiRA
RATES = 21  # false positive rates of a curve, from 0 to 1
LEAST_FALSE = 3  # held-out images that a rate must stand for

Sides = tuple[NDArray[np.float64], NDArray[np.float64]]  # what an attack makes of forget and of held-out images


@dataclass(frozen=True)
class Attack:
    """Area under the ROC curve of telling forget images from held-out ones, a value a model; .5 is chance.

    Attributes:
        rates: false positive rates of the curves, none below 3 / held-out images.
        curves: original, unlearned, retrained -> true positive rates, means over models.
    """

    name: str
    original: tuple[float, ...]
    unlearned: tuple[float, ...]
    retrained: tuple[float, ...]
    rates: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, name: str, found: Mapping[str, Sequence[Sides]]) -> Attack:
        """From each model's two sides."""
        others = min(len(sides[1]) for models in found.values() for sides in models)
        rates = np.linspace(0, 1, RATES)
        rates = rates[rates >= min(1.0, LEAST_FALSE / others)]
        return cls(
            name,
            **{kind: tuple(area(*sides) for sides in models) for kind, models in found.items()},
            rates=tuple(rates.tolist()),
            curves={
                kind: tuple(np.mean([true_positives(*sides, rates) for sides in models], 0).tolist())
                for kind, models in found.items()
            },
        )


def true_positives(
    members: NDArray[np.float64], others: NDArray[np.float64], rates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Height of the ROC curve at false positive rates, straight between its thresholds."""
    thresholds = np.unique(np.concatenate([members, others]))[::-1]
    false = np.array([0.0, *((others >= one).mean() for one in thresholds)])
    true = np.array([0.0, *((members >= one).mean() for one in thresholds)])
    # Of several heights at one rate the highest: what an attacker would take.
    last = np.append(np.diff(false) > 0, True)
    return np.interp(rates, false[last], true[last])


def area(members: ArrayLike, others: ArrayLike) -> float:
    """P(a member's score is above another's) + P(equal) / 2 (Mann-Whitney).

    Raises:
        ValueError: an empty side, or a value that is not finite.
    """
    a, b = np.asarray(members, dtype=np.float64).ravel(), np.asarray(others, dtype=np.float64).ravel()
    if not len(a) or not len(b) or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("attack: scores of members and of others are needed, all of them finite")
    ranks = stats.rankdata(np.concatenate([a, b]))[: len(a)]
    return float((ranks.sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b)))


def population_attack(scores: RequestScores) -> Attack:
    """Threshold on the score."""
    found = {name: [(model.forget, model.validation) for model in models] for name, models in scores.models.items()}
    return Attack.of("population", found)


def lira_attack(scores: RequestScores) -> Attack:
    """Offline LiRA: a score in standard deviations of what models that never saw the image say, pooled over images.

    The out-models are the retrained ones of the other pairs: none judges itself or its twin.
    Source: Carlini et al. 2022 (offline, fixed variance).

    Raises:
        ValueError: fewer than four pairs.
    """
    retrained = scores.models["retrained"]
    if len(retrained) < LEAST_REFERENCES + 1:
        raise ValueError(f"LiRA: {len(retrained)} pairs are too few; at least {LEAST_REFERENCES + 1} are needed")

    def sides(model: ModelScores, pair: int) -> Sides:
        others = [other for number, other in enumerate(retrained) if number != pair]
        forget = _standardised(model.forget, np.stack([other.forget for other in others]))
        held_out = _standardised(model.validation, np.stack([other.validation for other in others]))
        return forget, held_out

    found = {name: [sides(model, pair) for pair, model in enumerate(models)] for name, models in scores.models.items()}
    return Attack.of("LiRA", found)


def _standardised(scores: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """(images,) scores over (models, images) of out-models."""
    spread = float(np.sqrt(out.var(0, ddof=1).mean()))
    if spread <= 1e-12:
        raise ValueError("LiRA: all out-models say the same; models of different seeds are needed")
    return (scores - out.mean(0)) / (spread * np.sqrt(1 + 1 / len(out)))
