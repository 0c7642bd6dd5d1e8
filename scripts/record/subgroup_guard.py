"""The clinical guard by sex, age band, site and diagnosis of held-out patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scripts.record.scored import by_patient, numbers
from scripts.verify.subgroups import LEAST_PATIENTS, Subgroup, subgroups
from scripts.verify.verdict import LEVEL, Check


def measured_subgroups(pool: Mapping[str, Any], *, key_metric: str, margin: float) -> list[Subgroup]:
    """Groups of at least five held-out patients, validation and test together; none where records name no group.

    Args:
        pool: `private/scores.json`.
        key_metric: of the task; more is better.
        margin: loss that is accepted.

    Raises:
        ValueError: a patient without a value.
    """
    names = [name for name in ("validation", "test") if key_metric in pool["delivered"].get(name, {})]
    attributes = sorted({attribute for name in names for attribute in pool["sets"][name].get("groups", {})})
    patients = np.array([patient for name in names for patient in pool["sets"][name]["patients"]])
    rows, counts = {}, []
    for attribute in attributes:
        labels = np.array(
            [
                label
                for name in names
                for label in pool["sets"][name]["groups"].get(attribute, [""] * len(pool["sets"][name]["patients"]))
            ]
        )
        for group in sorted({*labels.tolist()} - {""}):
            kept = labels == group
            if (count := len(set(patients[kept]))) < LEAST_PATIENTS:
                continue
            unlearned, retrained = (
                _means(pool, kind, names, key_metric, kept, patients) for kind in ("unlearned", "retrained")
            )
            rows[attribute, group] = unlearned - retrained
            counts.append(count)
    return subgroups(rows, patients=counts, margin=margin)


def subgroup_check(found: list[Subgroup], *, margin: float) -> list[Check]:
    """Not met where a group is shown to lose more than the margin at 1 %; no check where there are no groups."""
    if not found:
        return []
    worst = min(found, key=lambda one: (one.p_value, one.difference))
    return [
        Check(
            "worst subgroup",
            worst.p_value >= LEVEL,
            f"{worst.attribute} {worst.group}, {worst.patients} patients: {worst.difference:+.3f},"
            f" p {worst.p_value:.3f} of a loss above {margin:g}; {len(found)} groups",
        )
    ]


def _means(
    pool: Mapping[str, Any], kind: str, names: list[str], measure: str, kept: np.ndarray, patients: np.ndarray
) -> np.ndarray:
    """(J,) mean over the group's patients."""
    places = np.array(numbers(patients[kept].tolist()))
    found = []
    for model in pool["models"][kind]:
        values = [value for name in names for value in model["values"][name][measure]]
        chosen = [value for value, keep in zip(values, kept, strict=True) if keep]
        found.append(by_patient(chosen, places).mean())
    return np.array(found)
