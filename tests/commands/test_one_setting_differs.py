"""Two runs that differ in one thing: the second is refused by the name of it or made anew; never the old result."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scripts.errors import user_error
from scripts.identity import file_digest
from scripts.settings.schema import SETTINGS
from scripts.settings.setting import Kind, Setting
from scripts.settings.workflows import WORKFLOWS
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.commands.common import read, refusal, request_file, run, tensors
from tests.commands.small_data import PATIENTS, everything, run_settings, trained_patients

MAKING = ("train", "forget", "restore")
# What changes no training that is there: a fold teacher is another model in another file.
ELSEWHERE = {("train", "fold")}
EVALUATION = {name for name in WORKFLOWS["evaluate"].names if SETTINGS[name].shared}
DRAWS = 2  # other values of each setting


class TrainedAnew(Exception):
    """Nothing was taken for done: training begins."""


class Untrained:
    """Stands for the engine of a training."""

    def run(self) -> None:
        raise TrainedAnew


def answer(root: Path, workflow: str, **changed: Any) -> str:
    """`done`, `anew`, `goes on`, or the refusal's line: how the command begins, without its engine."""
    values = {**run_settings(root, workflow), "bundle_root": ".", **changed}
    try:
        workspace = Workspace(workflow=workflow, settings=settings_of(values, workflow))
        workspace.begin()
        if workflow == "train":
            workspace.teacher_run(Untrained(), None).run()
            return "done"
        if workflow == "evaluate":
            return "goes on" if workspace.checked_folder else ""
        return "done" if workspace.phase.check() else "anew"
    except TrainedAnew:
        return "anew"
    except Exception as error:
        found = user_error(error)
        assert found is not None, f"not an error that an operator can mend: {error!r}"
        assert found.exit_code in (2, 6) and "\n" not in str(found)
        return str(found)


def others(setting: Setting, now: Any) -> list[Any]:
    """Allowed values of a setting that are not its present one."""
    draw = random.Random(setting.name)
    found: list[Any] = [word for word in setting.words if word not in (now, "")]
    if setting.kind is Kind.FLAG:
        found.append(not now)
    elif setting.kind in (Kind.WHOLE, Kind.SIZE):
        least, most = int(setting.least or 0), int(setting.most or 100)
        found += [value for value in (draw.randint(least, most), least, least + 1) if value != now and value <= most]
    elif setting.kind is Kind.NUMBER:
        found += [value for value in (0.25, draw.uniform(0.01, 0.3)) if value != now]
    elif not setting.words:
        found += [word for word in ("head", "all") if word != now]
    if setting.optional and now is not None:
        found.append(None)
    assert found, f"no other value of {setting.name} is known"
    return draw.sample(found, min(DRAWS, len(found)))


def pairs() -> Iterator[Any]:
    """(workflow, setting) of every setting from which a result follows."""
    for workflow in (*MAKING, "evaluate"):
        for name in WORKFLOWS[workflow].names:
            if SETTINGS[name].moves and (workflow != "evaluate" or name in EVALUATION):
                yield pytest.param(workflow, name, id=f"{workflow}-{name}")


@pytest.mark.parametrize("workflow", [*MAKING, "evaluate"])
def test_the_same_command_again_finds_its_own_result(whole: Path, workflow: str) -> None:
    assert answer(whole, workflow) == ("goes on" if workflow == "evaluate" else "done")


# Values that the run took where its config left the setting open.
AS_RECORDED = (("folds", "auto"), ("folds", 0))  # a training leaves the folds as they are
RESOLVED = (("method", "erase_to_retain"), ("trainable", "adapter"), ("retain_objective", "supervised_distillation"))


@pytest.mark.parametrize(("workflow", "name"), pairs())
def test_another_value_of_one_setting(whole: Path, workflow: str, name: str) -> None:
    now = settings_of({**run_settings(whole, workflow), "bundle_root": "."}, workflow)[name]
    before = everything(whole)
    for value in others(SETTINGS[name], now):
        said = answer(whole, workflow, **{name: value})
        if (workflow, name) in ELSEWHERE:
            continue
        if (workflow, name) == ("train", "forget_ratio"):
            assert "without 0 images of a request" in said
        elif (name, value) in RESOLVED or (workflow == "train" and (name, value) in AS_RECORDED):
            assert said == "done"  # the same procedure in other words
        elif (name, value) == ("method", "fold_start"):
            assert "lora_rank" in said  # it has no adapter, and one was asked for
        elif name == "dataset_name":
            assert said not in ("done", "anew", "goes on")  # also a folder that it lacks may be named
        else:
            assert name in said, f"{name}: {value!r} after {now!r}: {said}"
    assert everything(whole) == before


def test_a_fold_that_is_none_is_refused(whole: Path) -> None:
    """Its model would be called a fold teacher, and have seen everybody."""
    assert (
        answer(whole, "train", fold=2) == "fold: 2 is not below folds, 2; allowed: -1 for none, or from 0 below folds"
    )


# ---- other contents under the same names ----


def first_of(root: Path, place: str) -> str:
    """The first patient of a set of the run."""
    return str(read(root / "run" / "private" / "resolution.json")["patients"][place][0])


def painted(path: Path) -> None:
    """Other pixels in a file of the same size and the same time of change, as far as a program can have it."""
    status = path.stat()
    pixels = np.asarray(Image.open(path)).copy()
    pixels[:3, :3] ^= 255
    Image.fromarray(pixels).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def set_back(path: Path) -> None:
    """One byte of a file is another one; its size and its time of change are what they were."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("place", ["forget", "retain", "selection", "validation", "test"])
@pytest.mark.parametrize("ending", [".png", "-mask.png"], ids=["image", "mask"])
@pytest.mark.parametrize("change", [painted, set_back])
def test_another_content_of_a_file(copied: Path, place: str, ending: str, change: Callable[[Path], None]) -> None:
    name = f"{first_of(copied, place)}-0"
    change(copied / "data" / f"{name}{ending}")
    for workflow in ("forget", "restore", "evaluate"):
        assert f"{place}: image '{name}' holds other content than before" in answer(copied, workflow)
    if place in ("forget", "retain", "selection"):
        assert "was trained on other contents of the images or labels" in answer(copied, "train")
    else:
        assert answer(copied, "train") == "done"  # no weight follows from what is only measured


def replaced(path: Path) -> None:
    """Other weights under the same name, of a training of which the record beside them says the same."""
    state = torch.load(path, weights_only=True)
    torch.save({name: value + 0.01 if value.is_floating_point() else value for name, value in state.items()}, path)
    record = path.with_suffix(".json")
    record.write_text(json.dumps({**read(record), "weights": file_digest(path)}))


def test_another_teacher_under_the_same_name(copied: Path) -> None:
    replaced(copied / "models" / "model.pt")
    for workflow in ("forget", "restore", "evaluate"):
        assert "teacher is another file" in answer(copied, workflow)


def test_another_fold_teacher_under_the_same_name(copied: Path) -> None:
    for path in sorted((copied / "models").glob("model_fold*.pt")):
        replaced(path)
    for workflow in ("forget", "restore"):
        said = answer(copied, workflow)
        assert "model_fold" in said and "is another file" in said


def test_one_more_fold_teacher(copied: Path) -> None:
    fold = read(copied / "run" / "private" / "resolution.json")["folds"][first_of(copied, "forget")]
    for ending in ("pt", "json"):
        shutil.copy(
            copied / "models" / f"model_fold{fold}.{ending}", copied / "models" / f"model_fold{fold}_1.{ending}"
        )
    assert f"model_fold{fold}_1.pt is another file" in answer(copied, "forget")


def test_other_code(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.identity.code_identity", lambda: {"version": "9.9", "digest": "f" * 64})
    for workflow in MAKING:
        said = answer(whole, workflow)
        assert "code" in said and "9.9" in said


@pytest.mark.parametrize("number", range(1, 4))
def test_another_request_for_as_many_patients(copied: Path, number: int) -> None:
    one, other = trained_patients(copied / "models")[0], trained_patients(copied / "models")[number]
    request_file(copied / "request.csv", [other])  # the same request_id
    before = everything(copied)
    for workflow in ("forget", "restore", "evaluate"):
        assert f"forget: patient '{other}' not '{one}'" in str(refusal(workflow, run_settings(copied, workflow)))
    asked = {"request": str(copied / "request.csv")}
    assert "without 0 images of a request, not without 2" in answer(copied, "train", **asked)
    assert everything(copied) == before


@pytest.mark.parametrize("change", ["level", "date", "ground", "id"])
def test_another_request_for_the_same_images(copied: Path, change: str) -> None:
    """Every weight would be the same; but the record of the run would answer for a request that it does not know."""
    patient = first_of(copied, "forget")
    row = f"request-1,patient,{patient},2026-01-31,erasure_request"
    rows = {
        "level": [f"request-1,image,{patient}-{number},2026-01-31,erasure_request" for number in range(2)],
        "date": [row.replace("01-31", "02-01")],
        "ground": [row.replace("erasure_request", "consent_withdrawn")],
        "id": [row.replace("request-1", "request-2")],
    }[change]
    text = "\n".join(["request_id,level,id,requested_on,ground", *rows]) + "\n"
    (copied / "request.csv").write_text(text, encoding="utf-8")
    before = everything(copied)
    for workflow in ("forget", "restore", "evaluate"):
        assert "holds a run of another request" in str(refusal(workflow, run_settings(copied, workflow)))
    assert everything(copied) == before


@pytest.mark.parametrize("lost", ["private/resolution.json", "private/identity.json", "private/state.json"])
@pytest.mark.parametrize("workflow", ["forget", "restore", "evaluate"])
def test_a_run_that_lost_a_record_goes_nowhere(copied: Path, workflow: str, lost: str) -> None:
    (copied / "run" / lost).unlink()
    before = everything(copied)
    assert refusal(workflow, run_settings(copied, workflow)).exit_code in (2, 6)
    assert everything(copied) == before


def test_a_patient_who_came_and_one_who_left(copied: Path) -> None:
    path = copied / "data" / "list.json"
    listed = json.loads(path.read_text(encoding="utf-8"))
    gone = first_of(copied, "retain")
    kept = [entry for entry in listed["training"] if entry["patient_id"] != gone]
    path.write_text(json.dumps({"training": kept}), encoding="utf-8")
    assert f"retain: without patient '{gone}'" in answer(copied, "forget")
    assert "was trained on" in answer(copied, "train")
    assert len(PATIENTS) - 1 == len({entry["patient_id"] for entry in kept})


# ---- the whole command, for a few ----


@pytest.mark.parametrize(
    ("workflow", "changed"),
    [
        ("forget", {"forget_learning_rate": 0.01}),
        ("forget", {"goal": "suppress"}),
        ("restore", {"restore_learning_rate": 0.5}),
        ("train", {"learning_rate": 0.1}),
        ("train", {"epochs": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_the_command_is_refused_and_elsewhere_another_result_is_made(
    copied: Path, workflow: str, changed: dict[str, Any]
) -> None:
    before = everything(copied)
    own = run_settings(copied, workflow)
    error = refusal(workflow, {**own, **changed})
    assert next(iter(changed)) in str(error) and error.exit_code == 2
    assert everything(copied) == before
    made = copied / "models" / "model.pt" if workflow == "train" else copied / "run" / "release" / "student.pt"
    old = tensors(made)
    if workflow == "train":
        run(workflow, {**own, **changed, "overwrite": True, "folds": 0}, run_id="single")
    else:
        made = copied / "other" / "release" / "student.pt"
        if workflow == "restore":
            run("forget", {**run_settings(copied, "forget"), "output_dir": str(copied / "other")})
        run(workflow, {**own, **changed, "output_dir": str(copied / "other")})
    if workflow == "restore":  # in one epoch the head may be left as it was
        record = read(copied / "other" / "private" / "identity.json")["restore"]
        assert record["done"] and changed.items() <= record["procedure"].items()
        return
    new = tensors(made)
    assert any(not torch.equal(value, new[name]) for name, value in old.items())


def test_forgetting_again_after_restoration_leaves_the_restored_student(copied: Path) -> None:
    before = (copied / "run" / "release" / "student.pt").read_bytes()
    run("forget", run_settings(copied, "forget"))
    assert (copied / "run" / "release" / "student.pt").read_bytes() == before
