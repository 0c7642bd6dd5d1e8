"""RMIA: an image's likelihood ratio against that of images which nobody trained on."""

from __future__ import annotations

import numpy as np
from scripts.verify.membership import Attack, Sides
from scripts.verify.scores import ModelScores, RequestScores

REFERENCES = 2  # retrained models of other pairs: more hardly help, and few pairs are the rule


def rmia_attack(scores: RequestScores) -> Attack:
    """P over z of s(x; M) - s(x; ref) >= s(z; M) - s(z; ref), z the validation images, ref the mean of two models.

    The score is a log-odds, so that a difference is a log-ratio; gamma is 1. A validation image is not compared with
    itself. Source: Zarifzadeh et al. 2024 (offline).

    Raises:
        ValueError: fewer than three pairs.
    """
    retrained = scores.models["retrained"]
    if len(retrained) < REFERENCES + 1:
        raise ValueError(f"RMIA: {len(retrained)} pairs are too few; at least {REFERENCES + 1} are needed")

    def sides(model: ModelScores, pair: int) -> Sides:
        # The next pairs in turn: no model is judged by itself or by its twin.
        others = [retrained[(pair + step) % len(retrained)] for step in range(1, REFERENCES + 1)]
        forget = model.forget - np.mean([other.forget for other in others], 0)
        held_out = model.validation - np.mean([other.validation for other in others], 0)
        beaten = np.searchsorted(np.sort(held_out), forget, side="right") / len(held_out)
        count = len(held_out) - 1
        own = (np.searchsorted(np.sort(held_out), held_out, side="right") - 1) / max(count, 1)
        return beaten, own

    found = {name: [sides(model, pair) for pair, model in enumerate(models)] for name, models in scores.models.items()}
    return Attack.of("RMIA", found)
