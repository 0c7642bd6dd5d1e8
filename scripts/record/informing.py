"""What stands beside a verdict and does not decide it: relearning, label-free damage, each patient by number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from scripts.record.scored import request_scores
from scripts.verify.damage import damage_flag
from scripts.verify.relearning import relearned
from scripts.verify.screen import patient_screen


def informing(pool: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> plain JSON; what was not tried is left out.

    Args:
        pool: `private/scores.json`.

    Raises:
        ValueError: as the statistics do.
    """
    scores = request_scores(pool)
    found: dict[str, Any] = {}
    if curves := pool.get("relearning"):
        original = scores.means("original")
        found["relearning"] = asdict(relearned(steps=curves["steps"], original=original, curves=curves["curves"]))
    if apart := pool.get("disagreement"):
        matrix = np.array(apart)
        damage = damage_flag(delivered=matrix[0, 1:], retrained=matrix[1:, 1:])
        found["damage"] = {**asdict(damage), "flagged": damage.flagged}
    found |= agreed(pool)
    if scores.delivered is not None:
        delivered = scores.by_patient(scores.delivered)
        retrained = np.stack([scores.by_patient(model) for model in scores.models["retrained"]])
        screen = patient_screen(delivered=delivered, retrained=retrained)
        found["patients_screened"] = [
            {"patient": number + 1, "delivered": float(u), "retrained": float(r), "t": float(t)}
            for number, (u, r, t) in enumerate(zip(delivered, retrained.mean(0), screen.t, strict=True))
        ]
    return found


def agreed(pool: Mapping[str, Any]) -> dict[str, Any]:
    """Agreement of decisions with the teacher on validation images, beside models that never saw the patients.

    A retrained model decides otherwise on some images as well, by its seed: that is how far a student may be.
    """
    if not (own := pool.get("agreement")):
        return {}
    others = [float(value) for value in own["retrained"]]
    return {"agreement": {"delivered": float(own["delivered"]), "retrained": others}}
