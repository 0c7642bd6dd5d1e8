"""Whether the unlearned models serve held-out patients no worse than the retrained ones do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scripts.record.scored import by_patient, defined, numbers
from scripts.tasks.margin import Margin
from scripts.tasks.task import Task
from scripts.verify.check import Check
from scripts.verify.noninferiority import LEAST_PATIENTS, noninferiority


def clinical_guard(pool: Mapping[str, Any], *, task: Task) -> list[Check]:
    """Non-inferiority to the retrained models on validation and test images, by patient, within the task's margins.

    A patient for whom a measure is undefined, such as the rate of missed structure where there is none, is left out of
    that measure and counted.

    Args:
        pool: `private/scores.json`.

    Raises:
        ValueError: no held-out image was measured; a value that is there under some models only.
    """
    found = []
    for names in guarded(pool["sets"]):
        for measure in pool["delivered"][names[0]]:
            margin = task.margin(measure)
            if margin is not None and all(measure in pool["delivered"][name] for name in names):
                found += _check(pool, names, measure, margin)
    if not found:
        raise ValueError("clinical guard: no held-out image was measured")
    return found


def _check(pool: Mapping[str, Any], names: tuple[str, ...], measure: str, margin: Margin) -> list[Check]:
    """One check; none where the measure is undefined for everybody."""
    name = f"{measure} on {' and '.join(names)}"
    patients = np.array(numbers([patient for part in names for patient in pool["sets"][part]["patients"]]))

    def values(model: Mapping[str, Any]) -> np.ndarray:
        return by_patient([value for part in names for value in model[part][measure]], patients)

    delivered = values(pool["delivered"])
    unlearned, retrained = (
        np.stack([values(model["values"]) for model in pool["models"][kind]]) for kind in ("unlearned", "retrained")
    )
    kept = defined([delivered, *unlearned, *retrained], what=name)
    without, count = int((~kept).sum()), int(kept.sum())
    told = f"; undefined for {without} of {len(kept)} patients" if without else ""
    if not count:
        return []
    if count < LEAST_PATIENTS:
        return [Check(name, None, f"{count} patients have a value, at least {LEAST_PATIENTS} are needed{told}")]
    # Above 0 also where the retrained models make no error at all.
    allowed = max(margin.allowed(float(retrained[:, kept].mean())), float(np.finfo(float).eps))
    shown = noninferiority(
        unlearned=unlearned[:, kept],
        retrained=retrained[:, kept],
        delivered=delivered[kept],
        margin=allowed,
        higher_is_better=margin.higher_is_better,
    )
    return [
        Check(
            name,
            shown.shown,
            f"{shown.difference:+.3f}, bound {shown.bound:+.3f}; delivered {shown.delivered:+.3f},"
            f" bound {shown.delivered_bound:+.3f}; allowed -{allowed:.3g}{told}",
        )
    ]


def guarded(sets: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The held-out sets that the clinical guard reads, each alone; together where one has too few patients for that."""
    held_out = [name for name in ("validation", "test") if name in sets]
    if any(len(set(sets[name]["patients"])) < LEAST_PATIENTS for name in held_out):
        return [tuple(held_out)]
    return [(name,) for name in held_out]
