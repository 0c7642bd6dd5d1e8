"""Patients to training, guard, selection, validation and test: the same on every machine, in any order.

A patient's place follows from sha256 of seed and id, never from a position in a list. The request has no part in
it: the teacher was trained before anybody asked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.errors import InputError

OFFICIAL = ("train", "validation", "test")
PLACES = ("training", "guard", "selection", "validation", "test")
AUTO_FOLDS = "auto"
MOST_FOLDS = 10  # of `AUTO_FOLDS`: each fold costs a training


@dataclass(frozen=True)
class Split:
    """Set of each patient, fold of each training patient, and images that fit nowhere.

    Attributes:
        place: "training", "guard", "selection", "validation" or "test" per patient.
        folds: fold per training patient; empty without folds.
        straddling: images left out because other images of their patient are in a set that is further held out.
    """

    place: Mapping[str, str]
    folds: Mapping[str, int]
    straddling: tuple[str, ...]


def ranked(units: Iterable[str], *, seed: int, salt: str = "") -> list[str]:
    """Units by sha256 of `{seed}:{unit}`: an order that depends on neither machine nor list."""
    key = f"{seed}:{salt}:" if salt else f"{seed}:"
    return sorted(set(units), key=lambda unit: (hashlib.sha256(f"{key}{unit}".encode()).hexdigest(), unit))


def share_of(count: int, share: float, *, least: int = 1) -> int:
    """`share` of `count`, rounded half up, and at least `least` where the share is not zero."""
    return max(least, math.floor(share * count + 0.5)) if share > 0 and count else 0


def check_share(name: str, value: float) -> float:
    """`value` if it lies in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise InputError(f"{name}: '{value}' is not a share; allowed are numbers from 0 up to, not including, 1")
    return float(value)


def split_units(
    records: Iterable[Mapping[str, Any]],
    *,
    seed: int,
    validation_share: float,
    test_share: float,
    guard_share: float,
    folds: int | str = 0,
) -> Split:
    """Place every patient.

    Official splits stand; a share is taken only of a set that has none. Shares count the patients without an
    official validation or test place. Half of the validation patients, at least one, become the selection set.

    Raises:
        InputError: a share or fold number out of range, or no patient left for training.
    """
    shares = {"validation_share": validation_share, "test_share": test_share, "guard_share": guard_share}
    validation_share, test_share, guard_share = (check_share(name, value) for name, value in shares.items())
    official, straddling = official_places(records)
    pool = ranked((unit for unit, place in official.items() if place == "train"), seed=seed)
    has = set(official.values())
    wanted = {
        "test": 0 if "test" in has else share_of(len(pool), test_share),
        # two at least: one selects checkpoints, the other is reported
        "validation": 0 if "validation" in has else share_of(len(pool), validation_share, least=2),
        "guard": share_of(len(pool), guard_share),
    }
    place = {unit: name for unit, name in official.items() if name != "train"}
    start = 0
    for name, count in wanted.items():
        place.update(dict.fromkeys(pool[start : start + count], name))
        start += count
    training = pool[start:]
    if not training:
        raise InputError(
            f"no training data left: {len(pool)} patients, of whom test_share, validation_share and guard_share "
            f"ask for {start}"
        )
    place.update(dict.fromkeys(training, "training"))
    place.update(_selection(place, seed=seed))
    return Split(place, _folds(training, folds), straddling)


def official_places(records: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Each patient's official place, "train" where there is none, and the images left out for it.

    A patient with images in two official sets belongs to the one further held out: his other images would leak.
    """
    records = list(records)
    place: dict[str, str] = {}
    for record in records:
        name = record.get("split", "train")
        if name not in OFFICIAL:
            raise InputError(f"{record['image_id']}: split '{name}' is not one of {', '.join(OFFICIAL)}")
        unit = record["patient_id"]
        place[unit] = max(place.get(unit, "train"), name, key=OFFICIAL.index)
    out = (record["image_id"] for record in records if record.get("split", "train") != place[record["patient_id"]])
    return place, tuple(sorted(out))


def _selection(place: Mapping[str, str], *, seed: int) -> dict[str, str]:
    validation = ranked((unit for unit, name in place.items() if name == "validation"), seed=seed)
    if len(validation) == 1:
        raise InputError(
            f"validation has one patient ('{validation[0]}'); two at least are needed, because one selects "
            "checkpoints and the other is reported"
        )
    return dict.fromkeys(validation[: len(validation) // 2], "selection")


def official_level(place: str) -> int:
    """How far a place is held out, as an index of `OFFICIAL`."""
    return {"training": 0, "guard": 0, "selection": 1, "validation": 1, "test": 2}[place]


def number_of_folds(folds: int | str, *, patients: int) -> int:
    """The number of folds of `patients` training patients.

    A fold teacher is as far behind the teacher as its fold lacks patients: `AUTO_FOLDS` makes a fold of each patient,
    up to `MOST_FOLDS`, each of which then lacks a tenth. Measured: docs/RESULTS.md, "Preparation".

    Raises:
        InputError: not `AUTO_FOLDS`, 0 or a number from 2; more than there are patients.
    """
    if folds == AUTO_FOLDS:
        return min(patients, MOST_FOLDS) if patients > 1 else 0
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 0 or folds == 1:
        raise InputError(f"folds: '{folds}' is not {AUTO_FOLDS}, 0 (none) or a number from 2")
    if folds > patients:
        raise InputError(f"folds: {folds} folds ask for as many training patients; there are {patients}")
    return folds


def _folds(training: list[str], folds: int | str) -> dict[str, int]:
    number = number_of_folds(folds, patients=len(training))
    return {unit: rank % number for rank, unit in enumerate(training)} if number else {}
