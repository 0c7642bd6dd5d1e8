"""ISIC 2018 at a size that matters: U-Net with ResNet-34, 128 x 128; one lesion and ten, their depth and their cost.

make study STUDY=isic_whole

Hours: models are trained one by one and kept, and a training that is interrupted goes on where it stopped. Two
processes share the work: `-k "teacher or twin"` and `-k member`, then `-k request`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.bench.cases import LESION, lay_out, write_request
from tests.bench.measured import measured as in_a_process
from tests.studies import common
from tests.studies.recovery import ARMS, arms, measured

SEED = 1
POOL_SEED = 101  # of the fold teachers: forgetting is not measured by models of their seed
FOLDS, MEMBERS = 3, 2
SIZE = {
    "image_size": 128,
    "network_name": "flexible_unet_resnet34",
    "learning_rate": 5e-4,
    "channels_last": True,
    "folds": FOLDS,
    "surface": False,
    "near_duplicates": False,
}
REQUESTS = {"one": 1, "ten": 10}  # lesions, all of one fold
# The released schedule as the paper's code has it: 15 epochs of 64 + 64 images, then an epoch of the head.
RELEASED = {
    **common.overlay("method_released"),
    "method": "erase_to_retain",
    "forget_batch": 64,
    "retain_batch": 64,
    "max_rounds": 15,
    "min_rounds": 15,
}
# Fifteen steps as `prepare` tries them; the adapter by the defaults.
OWN = {
    "fold start": {"method": "fold_start", "steps_per_round": 5, "max_rounds": 3, "forget_learning_rate": 3e-4},
    "fold start, 120 steps": {"method": "fold_start"},
    "adapter": ARMS["adapter"],
    "adapter, hardened": ARMS["adapter, hardened"],
    "all weights, hardened": ARMS["all weights, hardened"],
}
FOLDER = common.WORK / "isic_whole"


@pytest.fixture
def settings(data_root: Callable[[str], Path]) -> dict[str, Any]:
    """Of all workflows."""
    return {**common.overlay("isic"), **SIZE, "dataset_dir": str(data_root("ISIC2018_256")), "seed": SEED}


def lesions(settings: dict[str, Any], count: int) -> tuple[int, list[str]]:
    """The fold of LESION, and LESION with the first others of that fold by id."""
    known = {key: value for key, value in common.known("train", settings).items() if "::" not in key}
    cohort = Workspace(workflow="train", settings=settings_of(known, "train")).cohort
    fold = next(cohort.fold_of(record) for record in cohort.retain if record["image_id"] == LESION)
    own = sorted(record["image_id"] for record in cohort.retain if cohort.fold_of(record) == fold)
    return fold, [LESION, *(image for image in own if image != LESION)][:count]


def request_of(settings: dict[str, Any], name: str) -> str:
    """The request's file."""
    _, images = lesions(settings, REQUESTS[name])
    path = Path(write_request(FOLDER / f"{name}.csv", level="image", unit=images[0]))
    head, row = path.read_text(encoding="utf-8").splitlines()
    rows = [row.replace(images[0], image) for image in images]
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return str(path)


def twin(settings: dict[str, Any], name: str, seed: int) -> Path:
    """Retrained without the lesions of a request; of the teacher's seed it is its pair."""
    own = {**settings, "request": request_of(settings, name), "seed": seed}
    return common.train(FOLDER, f"retrained_{name}_{seed}", own)


def member(settings: dict[str, Any], number: int) -> Path:
    """A fold teacher that saw none of the lesions."""
    fold, _ = lesions(settings, 1)
    return common.train(FOLDER, "fold", {**settings, "seed": POOL_SEED + number, "fold": fold, "member": number})


@pytest.mark.study
def test_teacher(settings: dict[str, Any]) -> None:
    assert common.train(FOLDER, "model", settings).is_file()


@pytest.mark.study
@pytest.mark.parametrize("number", range(MEMBERS))
def test_member(settings: dict[str, Any], number: int) -> None:
    assert member(settings, number).is_file()


@pytest.mark.study
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_twin(settings: dict[str, Any], name: str, seed: int) -> None:
    assert twin(settings, name, seed).is_file()


@pytest.mark.study
@pytest.mark.parametrize("name", REQUESTS)
def test_request(settings: dict[str, Any], name: str) -> None:
    """Every method, what comes back, and what a request costs as a process of its own beside a training."""
    common.train(FOLDER, "model", settings)
    others = {"fold teacher as it is": member(settings, 0), "retrained": twin(settings, name, SEED)}
    others["retrained, another seed"] = twin(settings, name, SEED + 1)
    own = {**settings, "model_dir": str(FOLDER), "request": request_of(settings, name)}
    place = FOLDER / name
    result = measured(place, own, arms(place, own, OWN), others)
    laid_out = lay_out(FOLDER, FOLDER / "prepared", settings)
    steps = {
        "prepared": ("forget", {**own, **OWN["fold start"], "model_dir": str(FOLDER / "prepared")}),
        "released": ("forget", {**own, **RELEASED}),
    }
    cost: dict[str, Any] = {}
    for step, (workflow, asked) in steps.items():
        folder = place / f"cost_{step}"
        if not (folder / "cost.json").is_file():
            found = in_a_process([{"workflow": workflow, "settings": {**asked, "output_dir": str(folder)}}])
            common.write_json(folder / "cost.json", found)
        cost[step] = common.read(folder / "cost.json")
    training = common.read(FOLDER / "run_model" / "release" / "timing.json")["train_model"]["cpu_seconds"]
    common.save(f"isic_whole/{name}", {**result, "cost": {**cost, "training": training, "lay_out": laid_out}})
    assert result["fold start"]["dice"]["retain"] > 0.5
