"""Workflows through MONAI's Python API, from another folder: the settings that are given, and no others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import monai.bundle
import pytest
from monai.bundle import ConfigWorkflow
from scripts.errors import user_error
from tests.commands.common import ROOT, read, request_file, workflow
from tests.commands.small_data import OWN, TRAINING, everything, run_settings, trained_patients, write_datalist

GARBAGE = ["notebook", "run", "unlearn", "--request", "nowhere.csv", "--output_dir", "elsewhere", "--lora_rnk", "-x"]


def by_workflow(name: str, given: Mapping[str, Any]) -> None:
    flow = ConfigWorkflow(config_file=workflow(name), workflow_type=None, logging_file=False, run_id=name, **given)
    flow.initialize()
    flow.run()
    flow.finalize()


def by_run(name: str, given: Mapping[str, Any]) -> None:
    monai.bundle.run(run_id=name, config_file=workflow(name), logging_file=False, **given)


def by_arguments(name: str, given: Mapping[str, Any]) -> None:
    monai.bundle.run(args_file={"run_id": name, "config_file": workflow(name), "logging_file": False, **given})


ways = pytest.mark.parametrize("way", [by_workflow, by_run, by_arguments])
Way = Callable[[str, Mapping[str, Any]], None]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder is not the bundle's, and the words of the program mean nothing to it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", GARBAGE)
    return folder


def given(root: Path, *workflows: str, **changed: Any) -> dict[str, Any]:
    """The settings of some workflows together."""
    together: dict[str, Any] = {}
    for name in workflows:
        together |= run_settings(root, name)
    return {"bundle_root": str(ROOT), **together, **changed}


def refused(way: Way, name: str, settings: Mapping[str, Any]) -> str:
    with pytest.raises(Exception) as caught:
        way(name, settings)
    found = user_error(caught.value)
    assert found is not None, repr(caught.value)
    assert "\n" not in str(found)
    return str(found)


@ways
def test_the_patient_who_is_named_is_forgotten_where_it_is_said(copied: Path, elsewhere: Path, way: Way) -> None:
    patient = trained_patients(copied / "models")[2]
    request = request_file(elsewhere / "asked.csv", [patient], request_id="asked")
    settings = given(copied, "evaluate", "restore", "forget", request=request.name, output_dir="answer")
    before = everything(copied / "run"), everything(ROOT / "eval")
    way("unlearn", settings)
    found = read(elsewhere / "answer" / "private" / "resolution.json")
    assert found["patients"]["forget"] == [patient] and found["request"]["request_id"] == "asked"
    assert (elsewhere / "answer" / "release" / "metrics.json").is_file()
    phases = read(elsewhere / "answer" / "private" / "identity.json")
    for phase in ("forget", "restore"):
        moving = {name: value for name, value in OWN[phase].items() if name in phases[phase]["procedure"]}
        assert len(moving) > 4 and moving.items() <= phases[phase]["procedure"].items()
    assert (everything(copied / "run"), everything(ROOT / "eval")) == before
    assert sorted(path.name for path in elsewhere.iterdir()) == ["answer", "asked.csv"]


@ways
def test_fold_teachers_have_the_given_settings(tmp_path: Path, way: Way) -> None:
    data = write_datalist(tmp_path / "data")
    own = {"epochs": 2, "learning_rate": 0.004, "seed": 5, "split_seed": 3, "normalise": "none"}
    wanted = {**own, "image_size": TRAINING["image_size"], "batch_size": TRAINING["batch_size"]}
    places = {"model_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / "run")}
    way("train", {"bundle_root": str(ROOT), **TRAINING, **data, **places, **own})
    for name in ("model", "model_fold0", "model_fold1"):
        record = read(tmp_path / "models" / f"{name}.json")
        assert wanted.items() <= record["training"].items()
        assert record["split"]["seed"] == 3 and record["data_set"] == "datalist"


@ways
@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("unlearn", {"lora_rnk": 3}, "lora_rnk: is no setting; did you mean 'lora_rank'?"),
        ("unlearn", {"restore_epoch": 3}, "restore_epoch: is no setting; did you mean 'restore_epochs'?"),
        ("unlearn", {"lora_rank": "two"}, "lora_rank: 'two' is not allowed"),
        ("unlearn", {"image_size": "large"}, "image_size: 'large' is not allowed"),
        ("unlearn", {"restore_epochs": 1.5}, "restore_epochs: '1.5' is not allowed"),
        ("unlearn", {"restore_epochs": True}, "restore_epochs: 'True' is not allowed"),
        ("unlearn", {"request": 7}, "request: '7' is not allowed"),
        ("unlearn", {"output_dir": ["a"]}, "output_dir: "),
        ("unlearn", {"goal": "forget"}, "goal: 'forget' is not allowed; allowed: unlearn | suppress"),
        ("unlearn", {"output_dir": "a#b"}, "allowed through the Python API are texts without both"),
        ("unlearn", {"request": ""}, "request: nothing to forget"),
        ("unlearn", {"request": "absent.csv"}, "absent.csv: no such request file"),
        ("train", {"overwrite": "yes"}, "overwrite: 'yes' is not allowed; allowed: true or false"),
        ("train", {"epoch": 3}, "epoch: is no setting; did you mean 'epochs'?"),
        ("train", {"learning_rates": [0.1, 0.2]}, "learning_rates: is no setting; did you mean 'learning_rate'?"),
        ("train", {"batch_sizes": "$2 * 8"}, "batch_sizes: is no setting; did you mean 'batch_size'?"),
        ("train", {"epochs": 0}, "epochs: '0' is not allowed"),
        ("train", {"key_dir": 3}, "key_dir: '3' is not allowed"),
    ],
)
def test_a_wrong_key_or_value_is_refused(
    whole: Path, elsewhere: Path, way: Way, name: str, changed: dict[str, Any], said: str
) -> None:
    steps = ("train",) if name == "train" else ("evaluate", "restore", "forget")
    before = everything(whole)
    assert said in refused(way, name, given(whole, *steps, **changed))
    assert everything(whole) == before and not list(elsewhere.iterdir())
