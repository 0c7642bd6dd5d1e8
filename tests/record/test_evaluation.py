"""The figures of a run, their structure, and that nothing of a patient is in what is released."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scripts.cohort import resolve
from scripts.cohort.loaders import CohortLoaders
from scripts.data.phantom import Phantom
from scripts.data.transforms import preprocessing
from scripts.engines.arithmetic import Arithmetic
from scripts.record.evaluation import Evaluation
from scripts.record.recovery import Recovery
from scripts.record.run_folder import RunFolder
from scripts.request import Request
from scripts.tasks import build_task
from torch import nn


def metrics(run) -> dict:
    return json.loads(run.folder.metrics.read_text())


def test_structure(bench, finished) -> None:
    found = metrics(finished)
    assert set(found) == {"teacher", "student", "forgetting"}
    views = {f"forget_{name}" for name in ("flip_h", "flip_v", "jitter", "jpeg")}
    for model in ("teacher", "student"):
        assert set(found[model]) == {"forget", "retain", "validation", "test"} | views
        for name in ("forget", "retain", "validation", "test"):
            entry, records = found[model][name], bench.cohort.named(name)
            assert entry["n_images"] == len(records)
            assert entry["n_patients"] == len({record["patient_id"] for record in records})
            assert set(entry) == {"n_images", "n_patients", "score", *bench.task.measures}
            for measure in ("iou", "dice", "score"):
                value = entry[measure]
                assert set(value) == {"mean", "low", "high"} and value["low"] <= value["mean"] <= value["high"]
        assert "hd95" not in found[model]["forget_jpeg"]
    assert set(found["forgetting"]) == {"corrected_score_teacher", "corrected_score_student"}


def test_figures_are_means_over_patients_of_the_table(finished) -> None:
    found = metrics(finished)
    with (finished.folder.private / "images.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    for model in ("teacher", "student"):
        for name in ("forget", "retain", "test"):
            own = [r for r in rows if (r["model"], r["set"], r["measure"]) == (model, name, "iou")]
            patients = {r["patient_id"] for r in own}
            means = [np.mean([float(r["value"]) for r in own if r["patient_id"] == patient]) for patient in patients]
            assert found[model][name]["iou"]["mean"] == pytest.approx(np.mean(means), abs=1e-5)
    corrected = found["student"]["forget"]["score"]["mean"] - found["student"]["validation"]["score"]["mean"]
    assert found["forgetting"]["corrected_score_student"] == pytest.approx(corrected)


def test_forgetting_shows(finished) -> None:
    found = metrics(finished)
    assert found["student"]["forget"]["iou"]["mean"] < found["teacher"]["forget"]["iou"]["mean"] - 0.05


def test_a_view_that_changes_nothing_of_the_network_is_measured_on_its_own(finished) -> None:
    # A flipped image is another input: the figures differ, and each has all images.
    found = metrics(finished)["teacher"]
    assert found["forget_flip_h"]["n_images"] == found["forget"]["n_images"]
    assert found["forget_flip_h"]["iou"]["mean"] != found["forget"]["iou"]["mean"]


def test_fraction_where_a_retrained_model_is_given(bench, finished, tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    models = {"teacher": bench.teacher, "student": bench.teacher, "retrained": finished.student.eval().network}
    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic, "folder": folder}
    found = Evaluation(models=models, surface=False, forget_views="none", **settings).run()
    assert found["forgetting"]["forgotten_fraction"] == pytest.approx(0, abs=1e-9)
    assert "hd95" not in found["teacher"]["forget"] and set(found["teacher"]) == {
        "forget",
        "retain",
        "validation",
        "test",
    }
    models["student"] = models["retrained"]
    found = Evaluation(models=models, surface=False, forget_views="flip_h", **settings).run()
    assert found["forgetting"]["forgotten_fraction"] == pytest.approx(1)
    assert set(found["student"]) == {"forget", "retain", "validation", "test", "forget_flip_h"}


def test_an_ensemble_and_flips_are_measured_and_not_attacked(bench, finished, tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    attacked: list[list[str]] = []

    class Watched(Recovery):
        def measure(self, models, before):
            attacked.append(sorted(models))
            return {}

    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic}
    evaluation = Evaluation(
        models={"teacher": bench.teacher},
        ensemble=finished.student.eval().network,
        test_augment="flips",
        surface=False,
        forget_views="none",
        recovery=Watched(names=("int8",), **settings),
        folder=folder,
        **settings,
    )
    found = evaluation.run()
    assert attacked == [["teacher"]] and set(found) == {"teacher", "ensemble", "forgetting"}
    plain = metrics(finished)
    for ours, theirs in {"teacher": "teacher", "ensemble": "student"}.items():
        assert found[ours]["test"]["iou"]["mean"] != plain[theirs]["test"]["iou"]["mean"]
        assert found[ours]["test"]["iou"]["mean"] == pytest.approx(plain[theirs]["test"]["iou"]["mean"], abs=0.1)


def test_no_id_and_no_path_in_what_is_released(bench, finished) -> None:
    records = [
        record
        for name in ("forget", "retain", "selection", "validation", "test")
        for record in bench.cohort.named(name)
    ]
    secrets = {record[key] for record in records for key in ("patient_id", "image_id", "image")}
    secrets |= {str(finished.folder.root), str(bench.model_dir), "request-1"}
    files = [path for path in finished.folder.release.rglob("*") if path.is_file()]
    names = {path.relative_to(finished.folder.release).parts[0] for path in files}
    assert names == {"student.pt", "metrics.json", "history.csv", "tensorboard", "timing.json"}
    assert any(path.name.startswith("events.out.tfevents") for path in files)
    for path in files:
        content = path.read_bytes() + path.name.encode()
        assert not [secret for secret in secrets if secret.encode() in content], path
    # The search would have found them.
    assert all(record["image_id"].encode() in finished.folder.resolution.read_bytes() for record in records[:3])


def test_released_files_are_in_the_manifest(finished) -> None:
    listed = json.loads(finished.folder.manifest.read_text())["files"]
    assert {"private/images.csv", "release/metrics.json", "private/resolution.json"} <= set(listed)


def test_cells_that_a_spreadsheet_would_run_are_neutralised(bench, tmp_path: Path) -> None:
    evil = ["=cmd|'/c calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t=1", "harmless"]
    forget = tuple({**bench.cohort.forget[0], "image_id": name, "patient_id": name} for name in evil)
    cohort = dataclasses.replace(bench.cohort, forget=forget)
    folder = RunFolder(output_dir=tmp_path, log=False)
    loaders = CohortLoaders(cohort=cohort, transform=bench.transform)
    Evaluation(
        models={"teacher": bench.teacher},
        loaders=loaders,
        task=bench.task,
        arithmetic=bench.arithmetic,
        folder=folder,
        surface=False,
        forget_views="none",
    ).run()
    with (folder.private / "images.csv").open(newline="") as table:
        cells = {
            row[key] for row in csv.DictReader(table) if row["set"] == "forget" for key in ("image_id", "patient_id")
        }
    assert cells == {f"'{name}" for name in evil[:-1]} | {"harmless"}
    assert not any(re.match(r"[=+@\t\r-]", cell) for cell in cells)


def test_a_forgotten_class_is_reported_apart(tmp_path: Path) -> None:
    source = Phantom(task="classification")
    cohort = resolve(source, request=Request("r", "class", ("lobed",), "2026-01-31", "research"))
    few = {name: cohort.named(name)[:12] for name in ("forget", "retain", "selection", "validation", "test")}
    cohort = dataclasses.replace(cohort, **few)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2)).eval()
    folder = RunFolder(output_dir=tmp_path, log=False)
    loaders = CohortLoaders(cohort=cohort, transform=preprocessing(source, image_size=16))
    task = build_task("classification")
    found = Evaluation(
        models={"teacher": network},
        loaders=loaders,
        task=task,
        arithmetic=Arithmetic(device="cpu"),
        folder=folder,
        forget_views="jitter",
    ).run()["teacher"]
    for name in ("validation", "test"):
        own = [record for record in cohort.named(name) if record["diagnosis"] == "lobed"]
        parts = found.get(f"{name}_forgotten_class"), found.get(f"{name}_other_classes")
        assert [part["n_images"] if part else 0 for part in parts] == [len(own), len(cohort.named(name)) - len(own)]
    assert set(found["test"]) >= {"accuracy", "cross_entropy", "score", "sensitivity_0"}
    assert found["forget_jitter"]["n_images"] == 12


def test_recovery_stands_beside_the_models(bench, finished, tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    settings = {"loaders": bench.loaders(), "task": bench.task, "arithmetic": bench.arithmetic}
    models = {"teacher": bench.teacher, "student": finished.student.eval().network}
    before = {name: value.clone() for name, value in models["student"].state_dict().items()}
    recovery = Recovery(names=["fine_tuned_20"], **settings)
    options = {"surface": False, "forget_views": "none", "folder": folder}
    Evaluation(models=models, recovery=recovery, **options, **settings).run()
    found = json.loads(folder.metrics.read_text())
    assert set(found) == {"teacher", "student", "forgetting", "recovery"}
    assert set(found["recovery"]) == {"teacher", "student"}
    entry = found["recovery"]["student"]["fine_tuned_20"]
    for measure in ("dice", "score"):
        assert entry[f"{measure}_before"] == pytest.approx(found["student"]["forget"][measure]["mean"])
    assert entry["corrected_score_before"] == pytest.approx(found["forgetting"]["corrected_score_student"])
    assert all(torch.equal(value, before[name]) for name, value in models["student"].state_dict().items())
    released = folder.metrics.read_bytes()
    assert not [record for record in bench.cohort.forget if record["image_id"].encode() in released]
    off = Evaluation(models=models, recovery=Recovery(names=[], **settings), **options, **settings).run()
    assert "recovery" not in off
