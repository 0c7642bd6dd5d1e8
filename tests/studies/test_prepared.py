"""What `prepare` finds by itself, with no line of a recipe in any overlay, beside retrained models.

make study STUDY=prepared
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripts.methods.recipe_file import RecipeFile
from tests.bench.cases import LESION, write_request
from tests.studies import common
from tests.studies.recovery import SEEN, arms, measured
from tests.studies.test_chase import OVERFITTED
from tests.studies.test_chase import write_request as write_children

SEEDS = (1, 2, 3)
CHILDREN = ("01", "08")
FOUND = "prepared"
# Forgetting is measured by a model of another seed: fold teachers have the original's, as `prepare` trains them. By its
# own seed's twin one reads agreement and what is kept, since teacher and twin differ by the patients alone.
OTHER = "retrained, another seed"
OTHER_SEED = 100  # above the original's
MINUTES = 25.0  # for trials; the models of the pool come on top


def prepared(name: str, settings: Mapping[str, Any]) -> Path:
    """A folder with a teacher and what `prepare` lays beside it; what is there is taken as it is."""
    folder = common.WORK / "prepared" / f"{name}_seed{settings['seed']}"
    common.train(folder, "model", settings)
    own = {**settings, "model_dir": str(folder), "reference_dir": str(folder / "pool"), "prepare_minutes": MINUTES}
    common.run("prepare", own)
    return folder


def answered(folder: Path, name: str, settings: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured of the student of a request, made as `prepare` found best, and of retrained models."""
    place = folder / name
    own = {**settings, **request, "model_dir": str(folder)}
    other = {**settings, **request, "seed": OTHER_SEED + settings["seed"]}
    retrained = {
        "retrained": common.train(folder, f"retrained_{name}", {**settings, **request}),
        OTHER: common.train(folder, f"retrained_{name}_other", other),
    }
    made = arms(place, own, {FOUND: {}})
    found = measured(place, own, made, retrained, attacks=SEEN)
    known = RecipeFile.read(folder)
    assert known is not None
    state = common.read(made[FOUND] / "private" / "state.json")
    training = common.read(folder / "run_model" / "release" / "timing.json")["train_model"]["cpu_seconds"]
    preparation = _preparation(folder)
    return {**found, "method": state["method"], "reasons": known.reasons, "training": training, **preparation}


def _preparation(folder: Path) -> dict[str, Any]:
    """CPU hours of the models of the pool, and bytes that requests take from."""
    timings = [*folder.glob("run_model_fold*/release/timing.json"), *(folder / "pool").rglob("timing.json")]
    seconds = sum(phase["cpu_seconds"] for path in timings for phase in common.read(path).values())
    kept = [folder / name for name in ("answers.json", "fingerprints.json", "recipe.json")]
    images = (folder / "private" / "images").rglob("*.pt")
    return {
        "preparation_cpu_hours": seconds / 3600,
        "store_bytes": sum(path.stat().st_size for path in [*kept, *images] if path.is_file()),
    }


def saved(name: str, settings: Mapping[str, Any], requests: Mapping[str, Mapping[str, Any]]) -> None:
    """Prepare, answer the requests and write what was measured."""
    folder = prepared(name, settings)
    for request, asked in requests.items():
        result = answered(folder, request, settings, asked)
        common.save(f"prepared/{name}_{request}_seed{settings['seed']}", result)
        assert result[FOUND]["score"]["forget"] < result["teacher"]["score"]["forget"]


def patients(place: Path, units: Sequence[str]) -> dict[str, Any]:
    """A request for patients."""
    return {"request": write_children(place, list(units))}


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_phantom(seed: int) -> None:
    settings = {"seed": seed, "select": "last", "surface": False}
    request = str(common.ROOT / "sample_data" / "request.csv")
    saved("phantom", settings, {"four_patients": {"request": request}})


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_chase(seed: int, data_root: Callable[[str], Path]) -> None:
    """One child and two, of a teacher that knows its training children by heart."""
    settings = {**common.overlay("chase"), **OVERFITTED, "dataset_dir": str(data_root("CHASEDB1")), "seed": seed}
    place = common.WORK / "prepared" / "requests"
    requests = {
        "one_child": patients(place / "one_child.csv", CHILDREN[:1]),
        "two_children": patients(place / "two_children.csv", CHILDREN),
    }
    saved("chase", {**settings, "surface": False}, requests)


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_isic(seed: int, data_root: Callable[[str], Path]) -> None:
    """One lesion, and a tenth of all of them."""
    folder = str(data_root("ISIC2018_256"))
    settings = {**common.overlay("isic"), "dataset_dir": folder, "seed": seed, "surface": False}
    place = common.WORK / "prepared" / "requests" / "one_lesion.csv"
    requests = {
        "one_lesion": {"request": write_request(place, level="image", unit=LESION)},
        "tenth": {"forget_ratio": 0.1},
    }
    saved("isic", settings, requests)


@pytest.mark.study
@pytest.mark.parametrize("seed", SEEDS)
def test_isic_classification(seed: int, data_root: Callable[[str], Path]) -> None:
    """A tenth of the images."""
    settings = {**common.overlay("isic_classification"), "dataset_dir": str(data_root("ISIC2017")), "seed": seed}
    saved("isic_classification", {**settings, "surface": False}, {"tenth": {"forget_ratio": 0.1}})
