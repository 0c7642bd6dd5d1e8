"""What stands in a run's `private/scores.json`, as numbers that the statistics take: images and patients by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scripts.verify.scores import ModelScores, RequestScores, patient_means


def request_scores(pool: Mapping[str, Any]) -> RequestScores:
    """The scores of `private/scores.json`, images and patients by number.

    Raises:
        ValueError: as `RequestScores`.
    """
    sets = pool["sets"]

    def scores(values: Mapping[str, Any]) -> ModelScores:
        forget, validation = ([_number(v) for v in values[name]["score"]] for name in ("forget", "validation"))
        return ModelScores.of(forget, validation, values.get("answers"))

    models = {kind: [scores(model["values"]) for model in found] for kind, found in pool["models"].items()}
    return RequestScores(
        patients=numbers(sets["forget"]["patients"]),
        validation_patients=numbers(sets["validation"]["patients"]),
        delivered=scores(pool["delivered"]),
        teacher=scores(pool["teacher"]),
        **models,
    )


def numbers(names: Sequence[str]) -> list[int]:
    """Each name's place in their sorted order: patients without their ids."""
    place = {name: number for number, name in enumerate(sorted(set(names)))}
    return [place[name] for name in names]


def by_patient(values: Sequence[float | None], patients: np.ndarray) -> np.ndarray:
    """Mean of each patient's images, those without a value left out; NaN for a patient without any."""
    array = np.array([_number(value) for value in values])
    kept = ~np.isnan(array)
    found = np.full(len(set(patients.tolist())), np.nan)
    if kept.any():
        found[np.isin(np.unique(patients), patients[kept])] = patient_means(array[kept], patients[kept])
    return found


def defined(models: Sequence[np.ndarray], *, what: str) -> np.ndarray:
    """Which patients have a value: those for whom it is undefined by definition have one under no model.

    Args:
        models: (patients,) of each model.

    Raises:
        ValueError: a patient has a value under some models and none under others: that is no definition.
    """
    has = ~np.isnan(np.stack(models))
    if (has.any(0) != has.all(0)).any():
        raise ValueError(f"{what}: a patient has no value under some of the models")
    return has.all(0)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
