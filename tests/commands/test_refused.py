"""A refused command leaves every byte as it was; two commands in one folder are one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts.record.keys import HospitalKeys
from tests.commands.common import ROOT, assert_same_tensors, environment, read, refusal, request_file, run, start
from tests.commands.small_data import NETWORK, PATIENTS, everything, run_settings, trained_patients

PLACES = ("model_dir", "request", "output_dir")
HOLD = "import sys\nfrom scripts.record.lock import lock_folder\nlock_folder(sys.argv[1])\nprint('held', flush=True)\n"


def settings(root: Path, workflow: str, **changed: Any) -> dict[str, Any]:
    """Of the run in `root`."""
    if workflow in ("train", "forget", "restore", "evaluate"):
        return {**run_settings(root, workflow), **changed}
    own = run_settings(root, "forget")
    names = ("request", "output_dir") if workflow == "export" else PLACES
    return {**{name: own[name] for name in names}, **changed}


@pytest.mark.parametrize(
    ("workflow", "changed"),
    [
        ("forget", {"lora_rank": 0}),
        ("forget", {"lora_rank": 2}),
        ("forget", {"image_size": 33}),
        ("forget", {"fold_dir": "nowhere"}),
        ("forget", {"request": "nowhere.csv"}),
        ("forget", {"model_name": "model_fold0.pt"}),
        ("forget", {"split_seed": 1}),
        ("restore", {"normalise": "none"}),
        ("restore", {"restore_steps": 2}),
        ("evaluate", {"image_size": 64}),
        ("evaluate", {"request": "nowhere.csv"}),
        ("train", {"epochs": 3}),
        ("train", {"fold": 7}),
        ("train", {"split_seed": 1}),
        ("verify", {}),
        ("commit", {}),
        ("commit", {"key_dir": "nowhere", "override_reason": "a test"}),
        ("export", {}),
    ],
)
def test_every_byte_is_as_it_was(copied: Path, workflow: str, changed: dict[str, Any]) -> None:
    before = everything(copied)
    assert refusal(workflow, settings(copied, workflow, **changed)).exit_code in (2, 6)
    assert everything(copied) == before


@pytest.mark.parametrize("fresh", [False, True], ids=["there", "fresh"])
@pytest.mark.parametrize("workflow", ["forget", "train"])
def test_a_refusal_for_another_patient_or_model_makes_no_folder(copied: Path, workflow: str, fresh: bool) -> None:
    """With the record of contents removed, so that it would have to be made anew."""
    if fresh:
        (copied / "models" / "content_digests.json").unlink()
    changed = {"request": str(request_file(copied / "other.csv", trained_patients(copied / "models")[1:2]))}
    before = everything(copied)
    refusal(workflow, settings(copied, workflow, **changed))
    assert everything(copied) == before


@pytest.mark.parametrize(("source", "target"), [("model_fold0", "model"), ("model", "model_fold0")])
@pytest.mark.parametrize("suffix", [".pt", ".json"])
def test_weights_beside_the_record_of_another_model(copied: Path, source: str, target: str, suffix: str) -> None:
    """Whichever of the two is exchanged: the model would be taken for one that saw the patient, or did not."""
    models = copied / "models"
    for name in ("model_fold0", "model_fold1") if target == "model_fold0" else (target,):
        (models / f"{name}{suffix}").write_bytes((models / f"{source}{suffix}").read_bytes())
    before = everything(copied)
    error = refusal("forget", settings(copied, "forget", output_dir=str(copied / "new")))
    assert error.exit_code == 2 and "is the record of other weights" in str(error)
    assert everything(copied) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entries, first, other: [entry for entry in entries if entry["image"] != f"{first}-0.png"], "holds 1"),
        (
            lambda entries, first, other: [
                {**entry, "patient_id": PATIENTS[0]} if entry["patient_id"] == other else entry for entry in entries
            ],
            "lists under a patient of",
        ),
    ],
    ids=["an image is missing", "another patient's name"],
)
def test_a_list_that_hides_who_was_trained_on(copied: Path, change: Any, said: str) -> None:
    first, other = trained_patients(copied / "models")[:2]
    assert PATIENTS[0] not in trained_patients(copied / "models"), "the test needs a patient who was held out"
    path = copied / "data" / "list.json"
    path.write_text(json.dumps({"training": change(read(path)["training"], first, other)}))
    error = refusal("forget", settings(copied, "forget", output_dir=str(copied / "new")))
    assert error.exit_code == 2 and said in str(error)
    assert not (copied / "new").exists()


@pytest.fixture
def holder(copied: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is at work in the run's folder."""
    line = [sys.executable, "-c", HOLD + "sys.stdin.read()", str(copied / "run" / "private")]
    pipe = subprocess.PIPE
    process = subprocess.Popen(line, cwd=ROOT, env=environment(), stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_while_another_command_is_at_work(copied: Path, holder: subprocess.Popen[str]) -> None:
    HospitalKeys.create(copied / "keys")
    reason = {"key_dir": str(copied / "keys"), "override_reason": "a test"}
    network = {"network_name": NETWORK["network_name"]}
    before = everything(copied)
    for workflow, own in (("evaluate", {}), ("revert", network), ("commit", reason)):
        error = refusal(workflow, settings(copied, workflow, **own))
        assert error.exit_code == 6 and "another command is at work" in str(error)
        assert everything(copied) == before
    os.kill(holder.pid, 9)
    holder.wait()
    run("evaluate", settings(copied, "evaluate"))
    run("revert", settings(copied, "revert", **network))
    assert_same_tensors(copied / "run" / "release" / "teacher.pt", copied / "models" / "model.pt")


@pytest.mark.slow
def test_two_requests_at_once_in_one_folder(copied: Path) -> None:
    """One is carried out, the other refused; what is there is all of the one."""
    patients = trained_patients(copied / "models")[1:3]
    begun = {}
    for patient in patients:
        request = request_file(copied / f"{patient}.csv", [patient], request_id=patient)
        own = settings(copied, "forget", request=str(request), output_dir=str(copied / "both"), progress=False)
        begun[patient] = start("forget", own, cwd=copied)
    ended = {patient: (process.communicate(timeout=300)[1], process.returncode) for patient, process in begun.items()}
    done = [patient for patient, (_, code) in ended.items() if code == 0]
    assert len(done) == 1, ended
    errors, code = ended[next(patient for patient in patients if patient not in done)]
    assert code in (2, 6) and "Traceback" not in errors and "output_dir: " in errors
    private = copied / "both" / "private"
    assert read(private / "resolution.json")["patients"]["forget"] == done
    assert list(read(private / "identity.json")["forget"]["data"]["forget"]) == done


def test_a_model_that_saw_the_patients_is_no_retrained_one(whole: Path) -> None:
    teacher = whole / "models" / "model.pt"
    error = refusal("evaluate", settings(whole, "evaluate", retrained_path=str(teacher)))
    assert f"{teacher}: was trained on patient" in str(error)


def test_an_ensemble_is_a_model_more_and_needs_every_fold(copied: Path) -> None:
    plain = settings(copied, "evaluate", attacks=[])
    run("evaluate", {**plain, "ensemble": True, "test_augment": "flips"})
    metrics = read(copied / "run" / "release" / "metrics.json")
    assert {"teacher", "student", "ensemble"} <= set(metrics) and "recovery" not in metrics
    (copied / "models" / "model_fold1.pt").unlink()
    error = refusal("evaluate", {**plain, "ensemble": True})
    assert "ensemble: true needs the teacher of every fold: " in str(error) and "model_fold1.pt" in str(error)
