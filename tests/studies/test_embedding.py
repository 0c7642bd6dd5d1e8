"""A ridge head on a frozen encoder beside the network as it is, on MedMNIST; samples deleted one by one.

make study STUDY=embedding
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

import pytest
from tests.studies import common
from tests.studies.test_methods import of_one_fold

DATA = Path(os.environ.get("UNLEARN_DATA") or common.ROOT.parent / "shared" / "data") / "MedMNIST"
EPOCHS = {"breastmnist": 10, "pneumoniamnist": 2}
DELETED = 20  # samples, a request each


def medmnist(name: str) -> dict[str, Any]:
    work = common.WORK / "embedding"
    own = {**common.overlay("medmnist"), "dataset_dir": str(DATA), "medmnist": name, "epochs": EPOCHS[name]}
    return {**own, "model_dir": str(work / name), "select": "last", "folds": 5}


def request(patients: list[str], path: Path) -> str:
    rows = "".join(f"embed,patient,{one},2026-11-01,research\n" for one in patients)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"request_id,level,id,requested_on,ground\n{rows}", encoding="utf-8")
    return str(path)


@pytest.mark.study
@pytest.mark.parametrize("samples", list(EPOCHS))
def test_deletion(samples: str) -> None:
    """Encoders: one that was trained on the other set, which holds none of the samples, and the set's own."""
    own = medmnist(samples)
    found: dict[str, Any] = {}
    for encoder in EPOCHS:
        path = common.train(Path(medmnist(encoder)["model_dir"]), "model", medmnist(encoder))
        work = common.WORK / "embedding" / f"{samples}_by_{encoder}"
        embed = {**own, "encoder": str(path), "split_dir": own["model_dir"]}
        common.train(Path(own["model_dir"]), "model", own)
        gone = of_one_fold(own, count=DELETED)
        common.run("embed", {**embed, "output_dir": str(work / "all")})
        whole = common.read(work / "all" / "release" / "embedding.json")
        each = []
        for number, one in enumerate(gone[:3]):
            asked = request([one], work / f"request{number}.csv")
            common.run("embed", {**embed, "output_dir": str(work / f"one{number}"), "request": asked})
            each.append(common.read(work / f"one{number}" / "release" / "embedding.json")["deletion"])
        asked = request(gone, work / "request.csv")
        common.run("embed", {**embed, "output_dir": str(work / "together"), "request": asked})
        together = common.read(work / "together" / "release" / "embedding.json")
        found[f"encoder of {encoder}"] = {
            "accuracy": whole["accuracy"],
            "accuracy after the deletion": together["accuracy"],
            "samples": whole["samples"],
            "embedding": whole["embedding"],
            "fitting_milliseconds": whole["fitting_milliseconds"],
            "deleting one": {
                "milliseconds": statistics.median(one["milliseconds"] for one in each),
                "largest_difference_from_refit": max(one["largest_difference_from_refit"] for one in each),
            },
            f"deleting {DELETED}": together["deletion"],
        }
    # The network as it is, for its accuracy and its cost.
    folder = Path(own["model_dir"])
    found["network"] = {"record": common.read(folder / "model.json").get("cost"), "accuracy": accuracy(folder, own)}
    common.save(f"embedding/{samples}", found)
    for name, row in found.items():
        if name != "network":
            assert row[f"deleting {DELETED}"]["largest_difference_from_refit"] < 1e-6


def accuracy(folder: Path, own: dict[str, Any]) -> dict[str, float]:
    """Of the trained network, means over patients."""
    look = folder / "look"
    if not (look / "release" / "metrics.json").is_file():
        none = {"attacks": [], "overlays": 0, "surface": False, "forget_views": "none", "request": ""}
        path = str(folder / "model.pt")
        common.run("evaluate", {**own, **none, "output_dir": str(look), "student_path": path})
    metrics = common.read(look / "release" / "metrics.json")
    return {part: metrics["teacher"][part]["accuracy"]["mean"] for part in ("validation", "test")}
