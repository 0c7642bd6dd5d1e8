"""How deep the methods forget: what comes back under attacks, on pairs of the phantom, CHASE_DB1 and ISIC.

make study STUDY=recovery
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bench.cases import LESION
from tests.bench.cases import write_request as write_lesion
from tests.studies import common
from tests.studies.recovery import ARMS, arms, measured
from tests.studies.test_chase import RECIPE, settings_of, write_request
from tests.studies.test_folds import CHILD, fold_of
from tests.studies.test_phantom import PAIRED, REQUEST, cohort, slope

SEEDS = (11, 12, 13, 14, 15, 16)
# Methods that are tried on every pair; the others on the first one alone.
MAIN = ("adapter", "adapter, hardened", "all weights, hardened", "fold start")
POOL_SEED = 201  # of the fold teacher that left the patients out; none of the pairs has it
CHASE_SEEDS = (1, 2, 3)
CHASE_POOL_SEED = 100  # and the original's above it
ISIC_SEEDS = (1000, 1001, 1002, 1003)
ISIC_POOL_SEED = 101


def pool() -> Path:
    """The folder of one fold teacher, which all pairs share."""
    folder = common.WORK / "recovery" / "pool"
    fold = {cohort().fold_of(record) for record in cohort().forget}.pop()
    common.train(folder, "fold", {**PAIRED, "seed": POOL_SEED, "fold": fold})
    return folder


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_phantom(seed: int) -> None:
    """One pair: original and retrained twin, and every method on the original."""
    folder = common.WORK / "recovery" / f"phantom_seed{seed}"
    paired = {**PAIRED, "seed": seed}
    original = common.train(folder, "model", paired)
    retrained = common.train(folder, "retrained", {**paired, "request": str(REQUEST)})
    common.share_pool(pool(), folder)
    settings = {"model_dir": str(folder), "seed": seed, "request": str(REQUEST), **PAIRED}
    made = arms(folder, settings, ARMS if seed == SEEDS[0] else {name: ARMS[name] for name in MAIN})
    (member,) = sorted(pool().glob("model_fold*.pt"))
    result = measured(folder, settings, made, {"retrained": retrained, "fold teacher as it is": member})
    weights = {name: place / "release" / "student.pt" for name, place in made.items()}
    gap = slope(original) - slope(retrained)
    for name, path in {**weights, "fold teacher as it is": member, "retrained": retrained}.items():
        result[name]["ff_true"] = (slope(original) - slope(path)) / gap
    common.save(f"recovery/phantom_seed{seed}", result)
    assert result["fold start"]["ff_true"] > 0.5 and result["all weights, hardened"]["ff_true"] > 0.5


@pytest.mark.study
@pytest.mark.parametrize("seed", CHASE_SEEDS)
def test_chase(seed: int, data_root: Callable[[str], Path]) -> None:
    """One child of an overfitted teacher; a fold teacher of another seed that lacks this child alone."""
    settings: dict[str, Any] = {**settings_of(data_root), "folds": "auto", "seed": seed}
    folder = common.WORK / "recovery" / f"chase_seed{seed}"
    request = write_request(folder / "one_child.csv", [CHILD])
    common.train(folder, "model", settings)
    retrained = common.train(folder, "retrained", {**settings, "request": request})
    own = {**settings, "model_dir": str(folder), "request": request}
    member = common.train(folder, "fold", {**settings, "seed": CHASE_POOL_SEED + seed, "fold": fold_of(own)})
    made = arms(folder, own, {name: CHASE_ARMS.get(name, ARMS[name]) for name in MAIN})
    result = measured(folder, own, made, {"retrained": retrained, "fold teacher as it is": member})
    common.save(f"recovery/chase_seed{seed}", result)
    assert result["fold start"]["dice"]["forget"] < result["teacher"]["dice"]["forget"]


@pytest.mark.study
@pytest.mark.parametrize("seed", ISIC_SEEDS)
def test_isic(seed: int, data_root: Callable[[str], Path]) -> None:
    """One lesion, by the overlay as it is; a fold teacher of another seed, which all pairs share."""
    settings = {**common.overlay("isic"), "dataset_dir": str(data_root("ISIC2018_256")), "surface": False}
    folder = common.WORK / "recovery" / f"isic_seed{seed}"
    request = write_lesion(folder / "request.csv", level="image", unit=LESION)
    common.train(folder, "model", {**settings, "seed": seed})
    retrained = common.train(folder, "retrained", {**settings, "seed": seed, "request": request})
    own = {**settings, "folds": "auto", "model_dir": str(folder), "request": request}
    members = common.WORK / "recovery" / "isic_pool"
    common.train(members, "fold", {**settings, "folds": "auto", "seed": ISIC_POOL_SEED, "fold": fold_of(own)})
    common.share_pool(members, folder)
    made = arms(folder, {**own, "seed": seed}, {name: ISIC_ARMS.get(name, ARMS[name]) for name in MAIN})
    (member,) = sorted(folder.glob("model_fold*.pt"))
    result = measured(folder, own, made, {"retrained": retrained, "fold teacher as it is": member})
    common.save(f"recovery/isic_seed{seed}", result)
    assert result["fold start"]["dice"]["retain"] > 0.5


# The batch of the training; one lesion has one image.
ISIC_ARMS = {"fold start": {"method": "fold_start", "retain_batch": 16}}
# Batches as in the training of four images; adapters by the recipe that was fitted to these data by hand.
CHASE_ARMS = {
    "adapter": RECIPE,
    "adapter, hardened": {**RECIPE, "hardening_weight": 0.3},
    "all weights, hardened": {
        "method": "erase_to_retain",
        "trainable": "all",
        "forget_batch": 2,
        "retain_batch": 8,
        "forget_weight": 4.0,
    },
    "fold start": {"method": "fold_start", "retain_batch": 4},
}
