"""Whether a delivered model serves held-out patients no worse than members without the data do, and its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scripts.record.clinical_guard import guarded
from scripts.record.scored import by_patient, defined, numbers
from scripts.tasks.margin import Margin
from scripts.tasks.task import Task
from scripts.verify.check import Check
from scripts.verify.noninferiority import LEAST_PATIENTS, lower_bound


def model_guard(pool: Mapping[str, Any], *, task: Task) -> list[Check]:
    """Non-inferiority of the delivered model to each, by patient, within the task's margins.

    Bounds are over patients; patients for whom a measure is undefined are left out of it and counted.

    Args:
        pool: `private/scores.json` with `delivered`, `teacher` and `members`.

    Raises:
        ValueError: no held-out image was measured; a value that is there under some models only.
    """
    found = []
    for names in guarded(pool["sets"]):
        for measure in pool["delivered"][names[0]]:
            margin = task.margin(measure)
            if margin is not None and all(measure in pool["delivered"][name] for name in names):
                found += _checks(pool, names, measure, margin)
    if not found:
        raise ValueError("clinical guard: no held-out image was measured")
    return found


def _checks(pool: Mapping[str, Any], names: tuple[str, ...], measure: str, margin: Margin) -> list[Check]:
    what = f"{measure} on {' and '.join(names)}"
    patients = np.array(numbers([patient for part in names for patient in pool["sets"][part]["patients"]]))

    def values(model: Mapping[str, Any]) -> np.ndarray:
        return by_patient([value for part in names for value in model[part][measure]], patients)

    delivered, teacher = values(pool["delivered"]), values(pool["teacher"])
    members = [values(model["values"]) for model in pool["members"]]
    kept = defined([delivered, teacher, *members], what=what)
    others = {"members": np.stack(members).mean(0), "teacher": teacher}
    without, count = int((~kept).sum()), int(kept.sum())
    told = f"; undefined for {without} of {len(kept)} patients" if without else ""
    if not count:
        return []
    if count < LEAST_PATIENTS:
        return [Check(what, None, f"{count} patients have a value, at least {LEAST_PATIENTS} are needed{told}")]
    sign = 1.0 if margin.higher_is_better else -1.0
    found = []
    for name, other in others.items():
        better = sign * (delivered - other)[kept]
        allowed = max(margin.allowed(float(other[kept].mean())), float(np.finfo(float).eps))
        bound = lower_bound(better)
        detail = f"{better.mean():+.3f}, bound {bound:+.3f}; allowed -{allowed:.3g}{told}"
        found.append(Check(f"{what}, beside {name}", bound > -allowed, detail))
    return found
