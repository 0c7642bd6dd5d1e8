"""`--tracking mlflow`: losses and metrics in a database of the run folder, and no word of whose data it was."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import mlflow
import pytest
from tests.commands.common import FORGET, RESTORE, ROOT, TRAIN, front_end, pool_settings, request_file

TRACKED = {"tracking": "mlflow"}
PATIENT = re.compile(rb"p[0-9]{3}(?![0-9])")


def runs(folder: Path) -> list[Any]:
    """The runs in a folder's database, the first one first."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'private' / 'mlflow' / 'mlruns.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    return [
        (
            run.info.status,
            {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics},
            run.data.params,
            run.data.tags,
        )
        for run in found
    ]


@pytest.mark.slow
def test_three_workflows(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder of its own, so that what is written beside the run would be seen."""
    present = tmp_path / "present"
    present.mkdir()
    monkeypatch.chdir(present)
    request = request_file(tmp_path / "request.csv")
    own = {"model_dir": str(pool), "request": str(request), "output_dir": "run", **TRACKED}
    short = {"min_rounds": 2, "max_rounds": 2, "method": "erase_to_retain"}
    for name, settings in (
        ("forget", {**FORGET, **own, **short}),
        ("restore", {**RESTORE, **own, "restore_epochs": 2}),
    ):
        code, errors = front_end(name, settings)
        assert code == 0, errors
    training = {**pool_settings(present / "models"), **TRAIN, "epochs": 2, "output_dir": "trained", **TRACKED}
    code, errors = front_end("train", training, run_id="single")
    assert code == 0, errors
    assert sorted(path.name for path in present.iterdir()) == ["models", "run", "trained"]

    phases = runs(present / "run")
    assert [status for status, *_ in phases] == ["FINISHED", "FINISHED"]
    with (present / "run" / "release" / "history.csv").open(newline="", encoding="utf-8") as table:
        written = [row for row in csv.DictReader(table) if row["phase"] == "forget" and row["name"] == "loss"]
    of_epochs = phases[0][1]["loss"]
    assert [point.value for point in of_epochs] == pytest.approx([float(row["value"]) for row in written])
    assert len(phases[0][1]["train_loss"]) == 2 * FORGET["steps_per_round"]
    trained, validated = runs(present / "trained")[0], {key for run in runs(present / "trained") for key in run[1]}
    assert trained[2]["max_epochs"] == "2" and {"train_loss", "loss", "selection"} <= validated

    for folder in ("run", "trained"):
        below = [path for path in (present / folder / "private" / "mlflow").rglob("*") if path.is_file()]
        assert [path.name for path in below] == ["mlruns.db"]
        content = below[0].read_bytes()
        for word in (tmp_path, present, ROOT, "request.csv", "request-1"):
            assert str(word).encode() not in content, word
        assert not PATIENT.search(content)


@pytest.mark.parametrize("name", ["unlearn", "evaluate", "inference", "prepare"])
def test_what_trains_nothing_refuses_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, errors = front_end(name, TRACKED, run_id="run")
    assert (
        code == 2 and f"tracking: workflow '{name}' has no training steps; it is for train, forget, restore" in errors
    )
    assert list(tmp_path.iterdir()) == []


def test_without_mlflow_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    code, errors = front_end("train", TRACKED)
    assert code == 2 and errors.splitlines()[-1] == "error: tracking: mlflow is not installed; pip install mlflow"
    assert list(tmp_path.iterdir()) == []
