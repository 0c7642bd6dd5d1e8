"""`compare` and `tune` by the command, on a few small pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.commands.common import read, refusal, run
from tests.commands.small_data import NETWORK, TRAINING, copied_models, run_settings

DATA = ("dataset_name", "datalist", "model_dir")
TRAINED = ("epochs", "batch_size", "augment", "validate_every", "checkpoint_every")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return copied_models(whole, tmp_path)


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    own = {name: value for name, value in run_settings(folder, "forget").items() if name in (*NETWORK, *DATA)}
    training = {name: TRAINING[name] for name in TRAINED}
    places = {"reference_dir": str(folder / "references"), "output_dir": str(folder / "out")}
    return {**own, **training, **places, **more}


def test_methods_stand_beside_retrained_models_and_failures_are_rows(folder: Path, capsys: Any) -> None:
    names = ["do_nothing", "retrain", "fold_teacher", "regun"]
    own = settings(
        folder, request=str(folder / "request.csv"), compare_methods=names, compare_retrained=2, near_duplicates=False
    )
    run("compare", own)
    found = read(folder / "out" / "release" / "compare.json")
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == set(names)
    assert rows["regun"]["failed"] == "method: 'regun' is for classification, not for task: segmentation"
    assert rows["do_nothing"]["values"]["distance"] == [pytest.approx(1)]
    assert len(rows["retrain"]["values"]["forget"]) == 2 and rows["retrain"]["values"]["cpu_seconds"][0] > 0
    text = (folder / "out" / "release" / "compare.md").read_text(encoding="utf-8")
    assert "| regun | failed: method: 'regun' is for classification" in text
    assert (folder / "out" / "release" / "compare.png").stat().st_size > 1000
    # What may be published names nobody and no place.
    released = text + (folder / "out" / "release" / "compare.json").read_text(encoding="utf-8")
    assert "patient-" not in released and str(folder) not in released
    capsys.readouterr()
    run("compare", {**own, "compare_methods": [*names, "fine_tune"], "max_rounds": 1, "min_rounds": 1})
    assert "0 retrained models to be trained" in capsys.readouterr().out
    assert {row["name"] for row in read(folder / "out" / "release" / "compare.json")["rows"]} == {*names, "fine_tune"}


def test_a_comparison_asks_for_a_request(folder: Path) -> None:
    assert "request: nothing to forget; give --request FILE" in str(refusal("compare", settings(folder, request="")))
    own = settings(folder, request=str(folder / "request.csv"), goal="suppress")
    assert "goal: suppress: methods are held against retrained models" in str(refusal("compare", own))


def test_tuned_settings_are_kept_with_what_they_cost(folder: Path, capsys: Any) -> None:
    own = settings(folder, tune_methods=["fine_tune", "ssd"], tune_trials=2, calibration_requests=1, seed=1)
    run("tune", own)
    found = read(folder / "models" / "recipe.json")
    assert set(found["tuning"]) == {"fine_tune", "ssd"} and found["preference"] == []
    assert found["tuning"]["fine_tune"]["trials"] == 2 and found["tuning"]["fine_tune"]["cpu_seconds"] > 0
    assert set(found["settings"]["fine_tune"]) == {"forget_learning_rate", "max_rounds"}
    assert found["reasons"]["ssd"].startswith("tuned in 2 trials on 1 mock requests: kept ")
    assert len(found["calibrated_on"]) >= 1 and "patient-" not in (folder / "models" / "recipe.json").read_text()
    capsys.readouterr()
    # `forget` takes what was found, and a setting that is given stands above it.
    forgetting = {name: value for name, value in run_settings(folder, "forget").items() if name in (*NETWORK, *DATA)}
    forgetting |= {"request": str(folder / "request.csv"), "method": "fine_tune", "near_duplicates": False}
    run("forget", {**forgetting, "output_dir": str(folder / "run"), "max_rounds": 1})
    identity = read(folder / "run" / "private" / "identity.json")["forget"]["procedure"]
    assert identity["forget_learning_rate"] == found["settings"]["fine_tune"]["forget_learning_rate"]
    assert identity["max_rounds"] == 1


def test_tuning_without_a_teacher_is_refused(folder: Path) -> None:
    found = refusal("tune", settings(folder, model_name="none.pt"))
    assert "none.pt: no such checkpoint" in str(found)
