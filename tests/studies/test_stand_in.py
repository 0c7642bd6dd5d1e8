"""How far members that lack a whole fold stand from a model that lacks one patient: the bias of mock requests.

make study STUDY=stand_in

Of four patients of different folds: members of the fold, and models retrained without the one patient, the teacher's
twin first.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.cohort import units
from scripts.references.scoring import Scoring
from scripts.workspace.workspace import Workspace, settings_of
from tests.studies import common
from tests.studies.test_chase import OVERFITTED
from tests.studies.test_folds import SMALLER

PATIENTS, MEMBERS = 4, 3
TWIN_SEEDS = (0, 700)  # above the teacher's; one model's score moves as far as the whole gap
POOL_SEED = 400  # of the members; none has the teacher's


def stand_in(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Corrected scores of teacher, twin and members on each patient, and the bias in parts of the mean gap."""
    folder = common.WORK / "stand_in" / name
    common.train(folder, "model", settings)
    known = {key: value for key, value in common.known("prepare", settings).items() if "::" not in key}
    known |= {"bundle_root": str(common.ROOT), "model_dir": str(folder), "output_dir": str(folder / "scored")}
    space = Workspace(workflow="prepare", settings=settings_of(known, "prepare"))
    scoring = Scoring(loaders=space.loaders, network=space.network_def, task=space.task, arithmetic=space.arithmetic)
    cohort = space.cohort
    first: dict[int, str] = {}
    for patient in units(cohort.retain):
        first.setdefault(cohort.folds[patient], patient)
    rows = []
    for fold, patient in sorted(first.items())[:PATIENTS]:
        records = [record for record in cohort.retain if record["patient_id"] == patient]
        asked = {**settings, "request": request(folder, fold, patient)}
        twins = [
            common.train(folder, f"without_{fold}_{number}", {**asked, "seed": settings["seed"] + above})
            for number, above in enumerate(TWIN_SEEDS)
        ]
        members = [
            common.train(
                folder, "fold", {**settings, "seed": POOL_SEED + 10 * fold + number, "fold": fold, "member": number}
            )
            for number in range(MEMBERS)
        ]
        found = {"teacher": [folder / "model.pt"], "retrained": twins, "members": members}
        rows.append({kind: [scoring.corrected_of(path, records) for path in paths] for kind, paths in found.items()})
    means = [{kind: statistics.fmean(scores) for kind, scores in row.items()} for row in rows]
    biases = [row["members"] - row["retrained"] for row in means]
    gap = statistics.fmean(row["teacher"] - row["retrained"] for row in means)
    error = statistics.stdev(biases) / math.sqrt(len(biases))
    return {"patients": rows, "gap": gap, "bias": statistics.fmean(biases) / gap, "standard_error": error / abs(gap)}


def request(folder: Path, fold: int, patient: str) -> str:
    """Of the one patient."""
    path = folder / f"without_{fold}.csv"
    path.write_text(f"request_id,level,id,requested_on,ground\nwithout,patient,{patient},2026-11-02,research\n")
    return str(path)


@pytest.mark.study
def test_phantom() -> None:
    common.save("stand_in/phantom", stand_in("phantom", {"seed": 1, "select": "last", "folds": 5}))


@pytest.mark.study
def test_isic(data_root: Callable[[str], Path]) -> None:
    settings = {**common.overlay("isic"), **SMALLER, "dataset_dir": str(data_root("ISIC2018_256")), "seed": 1}
    common.save("stand_in/isic", stand_in("isic", {**settings, "folds": 10}))


@pytest.mark.study
def test_chase(data_root: Callable[[str], Path]) -> None:
    """Folds of two children: with one child a fold, as `folds: auto` has it, the member is the retrained model."""
    settings = {**common.overlay("chase"), **OVERFITTED, "dataset_dir": str(data_root("CHASEDB1")), "seed": 1}
    common.save("stand_in/chase", stand_in("chase", {**settings, "folds": 4}))
