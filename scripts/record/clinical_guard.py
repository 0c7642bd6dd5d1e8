"""Whether the unlearned models serve held-out patients no worse than the retrained ones do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scripts.record.scored import by_patient, numbers
from scripts.verify.noninferiority import LEAST_PATIENTS, noninferiority
from scripts.verify.verdict import Check

# The dangerous direction in a clinic, and confidence that is not earned.
LESS_IS_BETTER = ("false_negative_rate", "empty_mask", "brier", "calibration_error")


def clinical_guard(pool: Mapping[str, Any], *, key_metric: str, margin: float) -> list[Check]:
    """Non-inferiority to the retrained models on validation and test images, by patient.

    Args:
        pool: `private/scores.json`.
        key_metric: of the task; more is better.
        margin: loss that is accepted.

    Raises:
        ValueError: no held-out image was measured; a patient without a value.
    """
    measures = {key_metric: True} | dict.fromkeys(LESS_IS_BETTER, False)
    found = [
        _check(pool, names, measure, higher, margin)
        for names in guarded(pool["sets"])
        for measure, higher in measures.items()
        if all(measure in pool["delivered"][name] for name in names)
    ]
    if not found:
        raise ValueError("clinical guard: no held-out image was measured")
    return found


def _check(pool: Mapping[str, Any], names: tuple[str, ...], measure: str, higher: bool, margin: float) -> Check:
    patients = np.array(numbers([patient for name in names for patient in pool["sets"][name]["patients"]]))

    def values(model: Mapping[str, Any]) -> np.ndarray:
        return by_patient([value for name in names for value in model[name][measure]], patients)

    models = {
        kind: np.stack([values(model["values"]) for model in pool["models"][kind]])
        for kind in ("unlearned", "retrained")
    }
    shown = noninferiority(**models, delivered=values(pool["delivered"]), margin=margin, higher_is_better=higher)
    return Check(
        f"{measure} on {' and '.join(names)}",
        shown.shown,
        f"{shown.difference:+.3f}, bound {shown.bound:+.3f}; delivered {shown.delivered:+.3f},"
        f" bound {shown.delivered_bound:+.3f}; allowed -{margin:g}",
    )


def guarded(sets: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The held-out sets that the clinical guard reads, each alone; together where one has too few patients for that."""
    held_out = [name for name in ("validation", "test") if name in sets]
    if any(len(set(sets[name]["patients"])) < LEAST_PATIENTS for name in held_out):
        return [tuple(held_out)]
    return [(name,) for name in held_out]
