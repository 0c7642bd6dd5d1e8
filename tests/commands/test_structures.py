"""Segmentation of several structures from training to evaluation, by the words `task` and `out_channels` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.common import EXACT, FORGET, SMALL, pool_settings, read, refusal, request_file, run


@pytest.mark.parametrize(("task", "outputs"), [("multiclass_segmentation", 3), ("multilabel_segmentation", 2)])
def test_forgotten_and_measured_structure_by_structure(tmp_path: Path, task: str, outputs: int) -> None:
    own = {"task": task, "out_channels": outputs, "phantom_patients": 10}
    for fold in (-1, 0):
        run("train", {**pool_settings(tmp_path / "models", fold=fold), **own, "epochs": 1}, run_id="single")
    about = {"model_dir": str(tmp_path / "models"), "request": str(request_file(tmp_path / "request.csv", ["p007"]))}
    about |= {"output_dir": str(tmp_path / "run"), **own}
    run("forget", {**FORGET, **about, "min_rounds": 1, "max_rounds": 1})
    run("evaluate", {**SMALL, **EXACT, **about, "overlays": 1, "attacks": []})
    metrics = read(tmp_path / "run" / "release" / "metrics.json")
    for model in ("teacher", "student"):
        found = metrics[model]["validation"]
        assert {"dice", "dice_1", "dice_2", "hd95_2", "false_negative_rate_1"} <= set(found)
        mean = (found["dice_1"]["mean"] + found["dice_2"]["mean"]) / 2
        assert found["dice"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_a_number_of_outputs_that_a_task_does_not_have_is_refused(tmp_path: Path) -> None:
    wrong = {**pool_settings(tmp_path / "models"), "task": "multiclass_segmentation", "out_channels": 2}
    error = refusal("train", wrong, run_id="single")
    assert "out_channels: 2, but task multiclass_segmentation has 3 for data set 'phantom' (core, rim)" in str(error)
    assert not (tmp_path / "models").exists()
