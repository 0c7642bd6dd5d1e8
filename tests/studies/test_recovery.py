"""How deep the methods forget: what comes back under attacks, on pairs of the phantom and on CHASE_DB1.

make study STUDY=recovery
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studies import common
from tests.studies.recovery import ARMS, arms, measured
from tests.studies.test_chase import RECIPE, children, settings_of, write_request
from tests.studies.test_phantom import PAIRED, REQUEST, cohort, slope

SEEDS = (11, 12, 13, 14, 15, 16)
# Methods that are tried on every pair; the others on the first one alone.
MAIN = ("adapter", "adapter, hardened", "all weights, hardened", "fold start")
POOL_SEED = 201  # of the fold teacher that left the patients out; none of the pairs has it
CHASE_SEED = 1


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
def test_chase(data_root: Callable[[str], Path]) -> None:
    """One child of an overfitted teacher; a fold teacher that left both children of its fold out."""
    settings: dict[str, Any] = {**settings_of(data_root), "seed": CHASE_SEED}
    folder = common.WORK / "recovery" / "chase"
    child = children(data_root)[:1]
    request = write_request(folder / "one_child.csv", child)
    common.train(folder, "model", settings)
    retrained = common.train(folder, "retrained", {**settings, "request": request})
    member = common.train(folder, "fold", {**settings, "seed": 100 + CHASE_SEED, "fold": 0})
    own = {**settings, "model_dir": str(folder), "request": request}
    made = arms(folder, own, CHASE_ARMS)
    result = measured(folder, own, made, {"retrained": retrained, "fold teacher as it is": member})
    common.save(f"recovery/chase_seed{CHASE_SEED}", result)
    assert result["fold start"]["dice"]["forget"] < result["teacher"]["dice"]["forget"]


# Batches as in the training of four images; adapters by the recipe that was fitted to these data by hand.
CHASE_ARMS = {
    "adapter": RECIPE,
    "all weights, hardened": {
        "method": "erase_to_retain",
        "trainable": "all",
        "forget_batch": 2,
        "retain_batch": 8,
        "forget_weight": 4.0,
    },
    "fold start": {"method": "fold_start", "retain_batch": 4},
}
