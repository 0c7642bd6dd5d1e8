"""The clinical guard by sex, age band, site and diagnosis of held-out patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scripts.errors import InputError
from scripts.record.scored import by_patient, numbers
from scripts.record.vocabulary import group_names, public_name
from scripts.verify.check import LEVEL, Check
from scripts.verify.subgroups import LEAST_PATIENTS, Subgroup, subgroups


def measured_subgroups(pool: Mapping[str, Any], *, key_metric: str, margin: float) -> list[Subgroup]:
    """Groups of at least five held-out patients, validation and test together; none where records name no group.

    Groups bear agreed names or numbers: what is found is published, and the data's own words may be anything.

    Args:
        pool: `private/scores.json`.
        key_metric: of the task; more is better.
        margin: loss that is accepted.

    Raises:
        ValueError: a patient without a value.
    """
    public = _public(pool)
    names = [name for name in ("validation", "test") if key_metric in pool["delivered"].get(name, {})]
    attributes = sorted({attribute for name in names for attribute in _groups(pool, name)})
    patients = np.array([patient for name in names for patient in pool["sets"][name]["patients"]])
    rows, counts = {}, []
    for attribute in attributes:
        labels = np.array(
            [
                public[attribute][label]
                for name in names
                for label in _groups(pool, name).get(attribute, [""] * len(pool["sets"][name]["patients"]))
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


def numbered_groups(pool: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Attribute -> number -> what the data calls a group that has no agreed name: for `private/` alone.

    Raises:
        InputError: the groups are not those that `references` writes.
    """
    try:
        found = {
            attribute: {name: value for value, name in names.items() if name and name != public_name(attribute, value)}
            for attribute, names in _public(pool).items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError("private/scores.json: names groups in another form; run references again") from error
    return {attribute: names for attribute, names in found.items() if names}


def _public(pool: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Attribute -> value of the data -> the name that may be published, the same ones for all sets."""
    values: dict[str, set[str]] = {}
    for name in pool["sets"]:
        for attribute, labels in _groups(pool, name).items():
            values.setdefault(attribute, {""}).update(labels)
    return {attribute: group_names(attribute, found) for attribute, found in values.items()}


def _groups(pool: Mapping[str, Any], name: str) -> Mapping[str, list[str]]:
    return pool["sets"][name].get("groups") or {}


def _means(
    pool: Mapping[str, Any], kind: str, names: list[str], measure: str, kept: np.ndarray, patients: np.ndarray
) -> np.ndarray:
    """(J,) mean over the group's patients."""
    places = np.array(numbers(patients[kept].tolist()))
    found = []
    for model in pool["models"][kind]:
        values = [value for name in names for value in model["values"][name][measure]]
        chosen = [value for value, keep in zip(values, kept, strict=True) if keep]
        means = by_patient(chosen, places)
        if np.isnan(means).any():
            raise ValueError("subgroups: a patient has no value")
        found.append(means.mean())
    return np.array(found)
