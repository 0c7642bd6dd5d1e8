"""What is measured on: a data set, a request, an original model and the pool that was trained once before it."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.cohort.build import build_cohort
from scripts.data import build_source
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.studies import common
from tests.studies.test_chase import RECIPE as CHASE_RECIPE

WORK = common.ROOT / "eval" / "bench"
REQUEST = common.ROOT / "sample_data" / "request.csv"
POOL_SEED = 101  # the references' seeds are not the original's


@dataclass(frozen=True)
class Case:
    """A data set with a request.

    Attributes:
        settings: of all workflows.
        recipe: of ours; empty takes the default.
        members: teachers of the forget patients' fold.
        fold: the fold that left them out.
        metric: the key metric.
        released: settings of the released schedule on it.
        released_epochs: at most.
    """

    name: str
    settings: Mapping[str, Any]
    fold: int
    members: int
    metric: str
    released: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    released_epochs: int = 80

    @property
    def folder(self) -> Path:
        """Where its models are."""
        return WORK / self.name

    def prepare(self) -> float:
        """Train the original and the pool where they are missing; CPU seconds that all of them took."""
        common.train(self.folder, "model", {**self.settings, "request": "", "forget_ratio": 0.0})
        for member in range(self.members):
            own = {"seed": POOL_SEED + member, "fold": self.fold, "member": member, "request": "", "forget_ratio": 0.0}
            common.train(self.folder, "fold", {**self.settings, **own})
        folders = [self.folder / f"run_model_fold{self.fold}{f'_{member}' if member else ''}" for member in range(9)]
        times = [folder / "release" / "timing.json" for folder in folders]
        return sum(
            sum(phase["cpu_seconds"] for phase in common.read(path).values()) for path in times if path.is_file()
        )

    @property
    def prepared(self) -> Path:
        """Its models once more, with what preparation lays beside them."""
        return self.folder / "prepared"

    def lay_out(self) -> float:
        """Fill `prepared`; CPU seconds."""
        return lay_out(self.folder, self.prepared, self.settings)


def lay_out(models: Path, prepared: Path, settings: Mapping[str, Any]) -> float:
    """Copy models, and lay beside them what a request takes from preparation: images, fingerprints, digests; CPU s."""
    prepared.mkdir(exist_ok=True)
    for path in models.glob("*.*"):
        if path.suffix in (".pt", ".json"):
            shutil.copy(path, prepared)
    known = common.known("prepare", {**settings, "model_dir": str(prepared)})
    space = Workspace(workflow="prepare", settings=settings_of(known, "prepare"))
    start = time.process_time()
    space.write_images()
    space.write_prints()
    space.digests.save()
    return time.process_time() - start


def phantom(members: int) -> Case:
    """The embedded default request."""
    settings = {"seed": 1, "folds": 5, "surface": False}
    request = str(REQUEST)
    (fold,) = phantom_folds(request)
    return Case(name="phantom", settings={**settings, "request": request}, fold=fold, members=members, metric="dice")


def phantom_folds(request: str, patients: int | None = None) -> set[int]:
    """The folds of the patients to forget; they depend on how many training patients there are."""
    source = build_source("phantom", phantom_patients=patients)
    shares = {"validation_share": 0.2, "test_share": 0.2, "folds": 5}
    cohort = build_cohort(source, request=request, seed=0, **shares)
    return {cohort.fold_of(record) for record in cohort.forget}


def chase(members: int) -> Case | None:
    """One child, forgotten by a teacher that knows its training children by heart; see tests/studies/test_chase.py."""
    folder = data_folder("CHASEDB1")
    if folder is None:
        return None
    settings = {**common.overlay("chase"), "select": "last", "augment": "none", "epochs": 200, "seed": 1}
    settings |= {"dataset_dir": str(folder), "surface": False, "folds": 4}
    source = build_source("chase", dataset_dir=str(folder), observer=1)
    cohort = build_cohort(source, seed=0, validation_share=0.2, test_share=0.2, folds=settings["folds"])
    child = sorted(child for child, fold in cohort.folds.items() if fold == 0)[0]
    settings["request"] = write_request(WORK / "chase" / "one_child.csv", level="patient", unit=child)
    batch = {"forget_batch": 4, "retain_batch": 4}
    return Case(
        name="chase", settings=settings, fold=0, members=members, metric="dice", released=batch, recipe=CHASE_RECIPE
    )


# Of a tenth of the lesions that was forgotten before, the one that original and retrained models of three seeds tell
# apart most clearly (0.7 to 1.6 nats), and the fold teachers too. For most single lesions there is nothing to forget.
LESION = "ISIC_0012464"
# The adapter's recipe that was fitted to one lesion by hand, before preparation found one.
LESION_RECIPE = {
    "method": "erase_to_retain",
    "scope": "all",
    "cached_views": 4,
    "forget_batch": 2,
    "retain_batch": 8,
    "retain_images": "all",
    "steps_per_round": 20,
    "max_rounds": 2,
    "min_rounds": 1,
    "restore_epochs": 2,
    "restore_steps": 10,
}
LESION_FOLDS = 3


def isic(members: int) -> Case | None:
    """One lesion of ISIC 2018."""
    folder = data_folder("ISIC2018_256")
    if folder is None:
        return None
    settings = {**common.overlay("isic"), "select": "last", "seed": 1, "folds": LESION_FOLDS}
    settings |= {"dataset_dir": str(folder), "surface": False, "near_duplicates": False}
    settings["request"] = write_request(WORK / "isic" / "one_lesion.csv", level="image", unit=LESION)
    source = build_source("isic", dataset_dir=str(folder))
    shares = {name: settings[name] for name in ("validation_share", "test_share", "guard_share", "folds")}
    cohort = build_cohort(source, request=settings["request"], seed=0, **shares)
    (record,) = cohort.forget
    # The paper's batch and epochs; ISIC has sixty times the images of CHASE_DB1.
    batch = {"forget_batch": 64, "retain_batch": 64}
    fold = cohort.fold_of(record)
    return Case(
        name="isic",
        settings=settings,
        fold=fold,
        members=members,
        metric="iou",
        released=batch,
        released_epochs=15,
        recipe=LESION_RECIPE,
    )


def write_request(path: Path, *, level: str, unit: str) -> str:
    """A request.csv that names one unit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        ["request_id", "level", "id", "requested_on", "ground"],
        [path.stem, level, unit, "2026-11-02", "erasure_request"],
    ]
    with path.open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)
    return str(path)


def data_folder(name: str) -> Path | None:
    """A data set in the folder that UNLEARN_DATA names."""
    root = os.environ.get("UNLEARN_DATA", "")
    folder = Path(root) / name
    return folder if root and folder.is_dir() else None
