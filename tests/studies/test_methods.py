"""Every method on one request beside retrained models, by `run compare`, on data sets small enough for a CPU.

make study STUDY=methods ARGS="-k phantom"
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
from scripts.settings.groups.comparing import CONTENDERS, NOT_BY_DEFAULT
from scripts.workspace.workspace import Workspace, settings_of
from tests.studies import common
from tests.studies.test_phantom import REQUEST, slope

SEEDS = int(os.environ.get("COMPARE_SEEDS", "3"))  # of the phantom's students; the others have one
DATA = Path(os.environ.get("UNLEARN_DATA") or common.ROOT.parent / "shared" / "data")
SEGMENTING = [name for name in CONTENDERS if name not in NOT_BY_DEFAULT]
# The released schedule passes over the whole training set fifteen times or more; ga_l1 is for reconstruction.
CLASSIFYING = [name for name in CONTENDERS if name not in ("released", "hardened", "ga_l1")]


def compared(
    name: str, settings: dict[str, Any], *, patients: list[str] | str, level: str, **more: Any
) -> dict[str, Any]:
    """Train, make the pool, compare; the table is kept as JSON and Markdown."""
    work = common.WORK / "methods" / name
    own = {**settings, "model_dir": str(work / "models"), "reference_dir": str(work / "references")}
    path = work / "models" / "model.pt"
    if not path.is_file():
        common.run("train", {**own, "output_dir": str(work / "train")}, run_id="run")
    request = work / "request.csv"
    rows = "".join(f"compare,{level},{one},2026-11-01,erasure_request\n" for one in patients)
    request.write_text(f"request_id,level,id,requested_on,ground\n{rows}", encoding="utf-8")
    common.run("compare", {**own, "request": str(request), "output_dir": str(work / "compare"), **more})
    found = json.loads((work / "compare" / "release" / "compare.json").read_text(encoding="utf-8"))
    common.save(f"methods/{name}", found)
    for ending in ("md", "png"):
        shutil.copy(work / "compare" / "release" / f"compare.{ending}", common.RESULTS / "methods" / f"{name}.{ending}")
    return found


def of_one_fold(settings: dict[str, Any], *, count: int) -> list[str]:
    """Patients of the first fold in the order of their digests, which nobody chose."""
    space = Workspace(workflow="train", settings=settings_of(common.known("train", settings), "train"))
    recorded = space.cohort.recorded
    assert recorded is not None
    own = [patient for patient, fold in space.cohort.folds.items() if fold == 0]
    return sorted(own, key=recorded.digest)[:count]


@pytest.mark.study
@pytest.mark.parametrize(("name", "count", "epochs"), [("breastmnist", 20, 10), ("pneumoniamnist", 100, 2)])
def test_medmnist(name: str, count: int, epochs: int) -> None:
    """Sample-wise: images of one of three folds."""
    work = common.WORK / "methods" / name
    own = {**common.overlay("medmnist"), "dataset_dir": str(DATA / "MedMNIST"), "medmnist": name, "epochs": epochs}
    own |= {"model_dir": str(work / "models"), "reference_dir": str(work / "references")}
    own |= {"select": "last", "folds": 3}
    if not (work / "models" / "model_fold2.pt").is_file():
        common.run("train", {**own, "output_dir": str(work / "train")})
    asked = of_one_fold(own, count=count)
    few = {"compare_methods": CLASSIFYING, "compare_retrained": 3, "critical_classes": [0], "compare_seeds": 1}
    found = compared(name, own, patients=asked, level="patient", **few)
    assert len(found["rows"]) == len(CLASSIFYING)


@pytest.mark.study
@pytest.mark.parametrize("augment", ["none", "flips"])
def test_salun_protocol(augment: str) -> None:
    """2508.18509 on Breast: SalUn beside retraining, the teacher trained with and without augmentation."""
    name = f"salun_protocol_{augment}"
    work = common.WORK / "methods" / name
    own = {**common.overlay("medmnist"), "dataset_dir": str(DATA / "MedMNIST"), "medmnist": "breastmnist", "epochs": 10}
    own |= {"select": "last", "model_dir": str(work / "models"), "reference_dir": str(work / "references"), "folds": 0}
    own["augment"] = augment
    protocol = {key: value for key, value in common.overlay("salun_protocol").items() if key != "augment"}
    asked = of_one_fold({**own, "folds": 5}, count=55)  # a tenth
    found = compared(name, own, patients=asked, level="patient", **protocol)
    assert {row["name"] for row in found["rows"]} == set(protocol["compare_methods"])


@pytest.mark.study
def test_class_request() -> None:
    """One of three classes of ISIC 2017 is to be forgotten: what needs fold teachers, which know it, is refused."""
    work = common.WORK / "methods" / "class_request"
    own = {**common.overlay("isic_classification"), "dataset_dir": str(DATA / "ISIC2017"), "image_size": 32}
    own |= {"epochs": 15, "folds": 3, "amp": False}
    own |= {"model_dir": str(work / "models"), "reference_dir": str(work / "references")}
    few = {"compare_methods": CLASSIFYING, "compare_retrained": 3, "compare_seeds": 1, "critical_classes": [0]}
    found = compared("class_request", own, patients=["seborrheic_keratosis"], level="class", **few)
    failed = {row["name"] for row in found["rows"] if row["failed"]}
    assert {"fold_start", "fold_teacher", "oracle_matching"} <= failed and "salun" not in failed


def shipped(name: str, source: Path) -> Path:
    """A copy of the teacher and the pool that come with a bundle."""
    models = common.WORK / "methods" / name / "models"
    if not models.is_dir():
        models.mkdir(parents=True)
        for path in [*sorted(source.glob("*.pt")), *sorted(source.glob("*.json"))]:
            shutil.copy(path, models)
    return models


@pytest.mark.study
def test_chase() -> None:
    """The teacher and the pool of the retina bundle; one child, as a hospital asks."""
    shipped("chase", common.ROOT / "models" / "retina")
    own = {**common.overlay("chase"), "dataset_dir": str(DATA / "CHASEDB1")}
    few = {"compare_methods": SEGMENTING, "compare_retrained": 3, "compare_seeds": 1}
    found = compared("chase", own, patients=["01"], level="patient", **few)
    assert len(found["rows"]) == len(SEGMENTING)


@pytest.mark.study
@pytest.mark.parametrize(
    ("name", "folder", "size", "count", "methods"),
    [("isic", "ISIC2018_256", 64, 30, SEGMENTING), ("isic_classification", "ISIC2017", 32, 20, CLASSIFYING)],
)
def test_isic(name: str, folder: str, size: int, count: int, methods: list[str]) -> None:
    """Small pictures; lesions of the first of three folds."""
    work = common.WORK / "methods" / name
    own = {**common.overlay(name), "dataset_dir": str(DATA / folder), "image_size": size, "epochs": 15, "folds": 3}
    own |= {"amp": False, "model_dir": str(work / "models"), "reference_dir": str(work / "references")}
    if not (work / "models" / "model_fold2.pt").is_file():
        common.run("train", {**own, "output_dir": str(work / "train")})
    asked = of_one_fold(own, count=count)
    few = {"compare_methods": methods, "compare_retrained": 3, "compare_seeds": 1, "critical_classes": [0]}
    found = compared(name, own, patients=asked, level="lesion", **few)
    assert len(found["rows"]) == len(methods)


@pytest.mark.study
def test_phantom() -> None:
    """The shipped teacher and pool, and the shipped request; FF_true by the recall of the annotators' bias."""
    models = shipped("phantom", common.ROOT / "models")
    asked = [line.split(",")[2] for line in REQUEST.read_text(encoding="utf-8").splitlines()[1:]]
    compared("phantom", {}, patients=asked, level="patient", compare_methods=SEGMENTING, compare_seeds=SEEDS)
    found = common.read(common.RESULTS / "methods" / "phantom.json")
    placed = common.read(common.WORK / "methods" / "phantom" / "compare" / "private" / "models.json")
    original = slope(models / "model.pt")
    retrained = statistics.fmean(slope(Path(path)) for path in placed["retrain"])
    for row in found["rows"]:
        slopes = [slope(Path(path)) for path in placed.get(row["name"], [])]
        row["ff_true"] = [(original - one) / (original - retrained) for one in slopes]
    common.save("methods/phantom", found)
    assert len(found["rows"]) == len(SEGMENTING)
