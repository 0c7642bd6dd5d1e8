"""How many folds: how far a fold teacher is behind, and what finishing makes up of that, by the number of folds.

make study STUDY=folds
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.bench.cases import LESION, write_request
from tests.studies import common
from tests.studies.recovery import arms, measured
from tests.studies.test_chase import OVERFITTED

SEEDS = (1, 2, 3)
POOL_SEED = 300  # and the original's seed above it: a fold teacher shares no initial weights with its original
PATIENT, CHILD = "p007", "01"
FINISHED = "fold start"
OWN_SEED = ", own seed"
# Half of the overlay's size, so that a model takes three minutes.
SMALLER = {"image_size": 64, "epochs": 20, "surface": False}


def by_folds(name: str, settings: dict[str, Any], *, level: str, unit: str, numbers: Sequence[int]) -> dict[str, Any]:
    """Number of folds -> what is measured of the fold teacher, of the student that starts from it, and of the twin.

    Fold teachers have another seed than the original, so that FF is not measured against a model of their own seed;
    for the largest number also the original's, as `prepare` trains them, which is what agreement is judged by.
    """
    folder = common.WORK / "folds" / f"{name}_seed{settings['seed']}"
    request = write_request(folder / "request.csv", level=level, unit=unit)
    common.train(folder, "model", settings)
    retrained = common.train(folder, "retrained", {**settings, "request": request})
    found: dict[str, Any] = {"training": common.read(folder / "run_model" / "release" / "timing.json")}
    seeds = [(number, pool_seed(settings)) for number in numbers] + [(max(numbers), int(settings["seed"]))]
    for number, seed in seeds:
        key = str(number) if seed != settings["seed"] else f"{number}{OWN_SEED}"
        place = folder / f"folds{key.replace(',', '').replace(' ', '_')}"
        place.mkdir(exist_ok=True)
        for file in ("model.pt", "model.json", "split.json"):
            if not (place / file).exists():
                shutil.copy(folder / file, place)
        own = {**settings, "folds": number, "model_dir": str(place), "request": request}
        member = common.train(place, "fold", {**own, "request": "", "fold": fold_of(own), "seed": seed})
        batch = {"method": "fold_start", "retain_batch": settings["batch_size"]}
        made = arms(place, own, {FINISHED: batch})
        others = {"retrained": retrained, "fold teacher as it is": member}
        found[key] = measured(place, own, made, others, attacks=())
    return found


def fold_of(settings: dict[str, Any]) -> int:
    """The fold of the one who is to be forgotten."""
    known = {key: value for key, value in common.known("forget", settings).items() if "::" not in key}
    cohort = Workspace(workflow="forget", settings=settings_of(known, "forget")).cohort
    return cohort.fold_of(cohort.forget[0])


def pool_seed(settings: dict[str, Any]) -> int:
    """Of the fold teachers."""
    return POOL_SEED + int(settings["seed"])


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_phantom(seed: int) -> None:
    settings = {"seed": seed, "select": "last", "batch_size": 16}
    found = by_folds("phantom", settings, level="patient", unit=PATIENT, numbers=(2, 3, 5, 10))
    common.save(f"folds/phantom_seed{seed}", found)
    assert found["10"][FINISHED]["dice"]["forget"] < found["10"]["teacher"]["dice"]["forget"]


@pytest.mark.study
def test_chase(data_root: Callable[[str], Path]) -> None:
    settings = {**common.overlay("chase"), **OVERFITTED, "dataset_dir": str(data_root("CHASEDB1")), "seed": 1}
    found = by_folds("chase", settings, level="patient", unit=CHILD, numbers=(2, 4, 8))
    common.save("folds/chase_seed1", found)
    assert found["8"][FINISHED]["dice"]["forget"] < found["8"]["teacher"]["dice"]["forget"]


@pytest.mark.study
def test_isic(data_root: Callable[[str], Path]) -> None:
    settings = {**common.overlay("isic"), **SMALLER, "dataset_dir": str(data_root("ISIC2018_256")), "seed": 1}
    found = by_folds("isic", settings, level="image", unit=LESION, numbers=(3, 5, 10))
    common.save("folds/isic_seed1", found)
    assert found["10"][FINISHED]["dice"]["retain"] > 0.5
