"""`embed` by the command: a head on a frozen encoder, and a patient taken out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.cohort.split_file import RecordedSplit
from tests.commands.common import read, refusal, request_file, run
from tests.commands.small_data import CLASSIFIER, copied_models, opened

AFTER_THE_SUMS = ("private/features.pt", "release/head.pt", "release/embedding.json")  # in the order of writing
NAMES = ("network_name", "image_size", "task", "out_channels", "threads", "progress", "validation_share")


@pytest.fixture
def folder(classified: Path, tmp_path: Path) -> Path:
    return copied_models(classified, tmp_path)


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    own = {name: CLASSIFIER[name] for name in NAMES}
    data = {"dataset_name": "datalist", "datalist": str(folder / "data" / "list.json"), "folds": 0}
    places = {"encoder": str(folder / "models" / "model.pt"), "split_dir": str(folder / "models")}
    return {**own, **data, **places, "output_dir": str(folder / "embed"), **more}


def test_a_patient_is_deleted_and_the_head_is_that_of_the_others(folder: Path) -> None:
    run("embed", settings(folder))
    record = read(folder / "embed" / "release" / "embedding.json")
    first = torch.load(folder / "embed" / "release" / "head.pt", weights_only=True)["weight"]
    assert record["features"] + 1 == len(first) and "deletion" not in record
    assert set(record["accuracy"]) == {"validation", "test"}
    run("embed", settings(folder, request=str(folder / "request.csv")))
    after = read(folder / "embed" / "release" / "embedding.json")
    second = torch.load(folder / "embed" / "release" / "head.pt", weights_only=True)["weight"]
    gone = after["deletion"]["samples"]
    assert gone == 2 and after["samples"] == record["samples"] - gone
    assert after["deletion"]["largest_difference_from_refit"] < 1e-6
    assert not torch.equal(first, second)
    # The encoder was trained on this patient, and its record shows it.
    assert after["deletion"]["exact_for_the_head"] and not after["deletion"]["exact_for_encoder_and_head"]
    assert after["deletion"]["why_not"] == "the encoder was trained on 2 of the samples"
    kept = torch.load(folder / "embed" / "private" / "features.pt", weights_only=True)
    assert len(kept) == after["samples"]
    # Once more: done already, and no image of the patient is opened.
    with opened() as paths:
        run("embed", settings(folder, request=str(folder / "request.csv")))
    assert not [path for path in paths if path.endswith(".png")]


def test_an_encoder_that_never_saw_the_patient_makes_it_exact(folder: Path) -> None:
    models = folder / "models"
    patient = (folder / "request.csv").read_text().splitlines()[1].split(",")[2]
    recorded = RecordedSplit.read(models / "split.json")
    assert recorded is not None
    fold = recorded.fold[recorded.digest(patient)]
    own = settings(folder, encoder=str(models / f"model_fold{fold}.pt"), request=str(folder / "request.csv"))
    run("embed", own)
    found = read(folder / "embed" / "release" / "embedding.json")["deletion"]
    assert found["exact_for_encoder_and_head"] is True and found["why_not"] == ""
    (models / f"model_fold{fold}.json").unlink()
    run("embed", {**own, "output_dir": str(folder / "other")})
    found = read(folder / "other" / "release" / "embedding.json")["deletion"]
    assert found["exact_for_encoder_and_head"] is False
    assert found["why_not"] == "the encoder has no record of who was in it"


def test_an_interrupted_deletion_is_ended_without_opening_the_patient(folder: Path) -> None:
    """The sums were written without the patient, and nothing that follows from them."""
    own = settings(folder, request=str(folder / "request.csv"))
    run("embed", settings(folder))
    before = {name: (folder / "embed" / name).read_bytes() for name in AFTER_THE_SUMS}
    run("embed", own)
    ended = torch.load(folder / "embed" / "release" / "head.pt", weights_only=True)["weight"]
    for name, content in before.items():
        (folder / "embed" / name).write_bytes(content)
    patient = (folder / "request.csv").read_text().splitlines()[1].split(",")[2]
    with opened() as paths:
        run("embed", own)
    assert not [path for path in paths if f"{patient}-" in path]
    found = read(folder / "embed" / "release" / "embedding.json")
    kept = torch.load(folder / "embed" / "private" / "features.pt", weights_only=True)
    assert found["deletion"]["samples"] == 2 and len(kept) == found["samples"]
    assert torch.equal(torch.load(folder / "embed" / "release" / "head.pt", weights_only=True)["weight"], ended)


def test_a_head_of_other_labels_is_refused(folder: Path) -> None:
    run("embed", settings(folder))
    path = folder / "data" / "list.json"
    listed = read(path)
    for entry in listed["training"]:
        entry["label"] = 1 - entry["label"]
    path.write_text(json.dumps(listed), encoding="utf-8")
    assert "was fitted on other samples or labels" in str(refusal("embed", settings(folder)))


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    run("embed", settings(folder))
    assert "encoder: nothing is given" in str(refusal("embed", settings(folder, encoder="")))
    text = str(refusal("embed", settings(folder, ridge=2.0)))
    assert "ridge.pt: is of another encoder or ridge; give another output_dir" in text
    request_file(folder / "other.csv", ["nobody"])
    assert "nobody" in str(refusal("embed", settings(folder, request=str(folder / "other.csv"))))
