"""Cost of the same request as the training set grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.cases import REQUEST, WORK, lay_out, phantom, phantom_folds
from tests.bench.measured import measured
from tests.studies import common

PATIENTS = 40  # of the phantom's training set by default: N
EPOCHS = 2  # of the models: their quality does not change what a fixed number of steps costs
# No stopping rule: what would end earlier at another N would hide the cost.
FIXED = {"min_rounds": 4, "max_rounds": 4}
PREPARED = "fold_start_prepared_with_look_alikes"


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Slope of log cost over log size, least squares."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    centre, level = sum(x) / len(x), sum(y) / len(y)
    return sum((a - centre) * (b - level) for a, b in zip(x, y, strict=True)) / sum((a - centre) ** 2 for a in x)


def one_patient(path: Path) -> str:
    """The first patient of the default request."""
    lines = REQUEST.read_text(encoding="utf-8").splitlines()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    return str(path)


def scaling(factors: Sequence[int], *, repeats: int, folder: Path) -> dict[str, Any]:
    """A request for one patient at `factors` times N training patients.

    By the adapter with and without the look-alike search; by `fold_start` with it, where all is prepared.
    """
    case = phantom(1)
    # One patient lies in one fold, however many folds and patients there are: the pool that is asked stays the same.
    request = one_patient(folder / "request.csv")
    rows = []
    for factor in factors:
        own = {**case.settings, "phantom_patients": PATIENTS * factor, "epochs": EPOCHS, "request": request}
        models = WORK / "scaling" / str(factor)
        plain = {**own, "request": ""}
        common.train(models, "model", plain)
        (fold,) = phantom_folds(request, patients=PATIENTS * factor)
        common.train(models, "fold", {**plain, "fold": fold})
        row: dict[str, Any] = {"factor": factor, "patients": PATIENTS * factor}
        row["lay_out_cpu_seconds"] = lay_out(models, models / "prepared", plain)
        adapter = {**FIXED, "method": "erase_to_retain", "model_dir": str(models)}
        ways: dict[str, dict[str, Any]] = {
            "request": {**adapter, "near_duplicates": False},
            "request_with_look_alikes": {**adapter, "near_duplicates": True},
            PREPARED: {"method": "fold_start", "model_dir": str(models / "prepared"), "near_duplicates": True},
        }
        for name, way in ways.items():
            costs = []
            for repeat in range(repeats):
                settings = {**own, **way, "output_dir": str(folder / f"{name}_{factor}_{repeat}")}
                phases = ("forget",) if name == PREPARED else ("forget", "restore")
                costs.append(measured([{"workflow": step, "settings": settings} for step in phases])["cpu_seconds"])
            row[f"{name}_cpu_seconds"] = common.spread(costs)
        rows.append(row)
    found: dict[str, Any] = {"rows": rows}
    for name in ways:
        costs = [statistics.median(row[f"{name}_cpu_seconds"]["values"]) for row in rows]
        found[f"{name}_exponent"] = exponent([row["patients"] for row in rows], costs)
    return found
