"""One screen of figures, free of ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.run_folder import RunFolder
from scripts.report.summary import Summary


def entry(iou: float, *, patients: int = 3) -> dict[str, Any]:
    mean = {"mean": iou, "low": iou, "high": iou}
    undefined = {"mean": None, "low": None, "high": None}
    return {"iou": mean, "dice": mean, "false_negative_rate": undefined, "hd95": mean, "n_patients": patients}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(output_dir=tmp_path / "run", log=False)
    metrics = {
        "teacher": {"forget": entry(0.9, patients=2), "test": entry(0.5)},
        "student": {"forget": entry(0.625, patients=2), "test": entry(0.49)},
        "forgetting": {"corrected_score_teacher": 1.25, "corrected_score_student": 0.125, "forgotten_fraction": 0.875},
    }
    write_json(made.metrics, metrics)
    write_json(made.timing, {"forget": {"wall_seconds": 12.34, "steps": 80}, "evaluate": {"wall_seconds": 1.0}})
    made.note(state="trial", method="erase_to_retain", forget={"rounds": 4, "progress": 0.98, "adapter_scale": 0.9})
    write_json(made.resolution, {"patients": {"forget": ["patient-77"]}})
    return made


def lines(folder: RunFolder, *, dataset_name: str = "phantom") -> list[str]:
    return Summary(folder=folder, goal="unlearn", dataset_name=dataset_name).lines()


def test_figures_of_both_models_side_by_side(folder: RunFolder) -> None:
    (row,) = [line for line in lines(folder) if line.startswith("forget ")]
    assert row.split() == ["forget", "2", "0.900", "0.625", "0.900", "0.625", "-", "-"]
    heads = [line for line in lines(folder) if "teacher" in line and "student" in line]
    assert heads[0].split()[:2] == ["teacher", "student"]


def test_forgetting_and_cost(folder: RunFolder) -> None:
    text = "\n".join(lines(folder))
    assert (
        "erase_to_retain in 4 rounds, progress 0.980 of the way from the teacher to the goal, adapter scale 0.900"
        in text
    )
    assert "forget minus validation, nats: student 0.125, teacher 1.250" in text
    assert "FF          0.875" in text and "forget 12.3 s (80 steps)" in text and "evaluate" not in text


def test_state_and_synthetic_data_are_said(folder: RunFolder) -> None:
    assert "data: phantom (synthetic data)   state: trial, not erased" in "\n".join(lines(folder))
    assert "(synthetic data)" not in "\n".join(lines(folder, dataset_name="chase"))


def test_no_ids(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    Summary(folder=folder, goal="unlearn", dataset_name="phantom").show()
    shown = capsys.readouterr().out
    assert "patient-77" not in shown and str(folder.student) in shown


def test_without_forgetting_and_cost_there_is_still_the_table(tmp_path: Path) -> None:
    made = RunFolder(output_dir=tmp_path / "run", log=False)
    write_json(made.metrics, {"teacher": {"test": entry(0.5)}, "forgetting": {}})
    text = "\n".join(lines(made))
    assert "0.500" in text and not [line for line in text.splitlines() if line.startswith(("FF", "cost", "forgetting"))]


def attacked(value: float, share: float | None) -> dict[str, Any]:
    return {"dice": value, "recovered_dice": share, "score": 2.0, "recovered_score": share}


def test_what_comes_back_under_attack(folder: RunFolder) -> None:
    assert "attack" not in "\n".join(lines(folder))
    found = json.loads(folder.metrics.read_text())
    found["recovery"] = {
        "student": {"relearned_5": None, "fine_tuned_20": attacked(0.9125, 0.675)},
        "fold_teacher": {"relearned_5": None, "fine_tuned_20": attacked(0.8, -0.04)},
        "teacher": {"relearned_5": None, "fine_tuned_20": attacked(0.95, None)},
    }
    write_json(folder.metrics, found)
    shown = lines(folder)
    start = next(i for i, line in enumerate(shown) if line.startswith("forget set after an attack"))
    block = [line.split() for line in shown[start : start + 4]]
    assert "dice (share that came back: by dice, by score)" in shown[start]
    assert block[1] == ["teacher", "student", "fold", "teacher"]
    assert block[2:] == [
        ["fine_tuned_20", "0.950", "0.912", "(0.68,", "0.68)", "0.800", "(-0.04,", "-0.04)"],
        ["relearned_5", "not", "made"],
    ]


@pytest.mark.parametrize("name", ["release/metrics.json", "release/timing.json", "private/state.json"])
@pytest.mark.parametrize(
    "content",
    [
        "{x",
        "[]",
        "null",
        '{"teacher": 3, "forget": 3}',
        '{"teacher": {}, "forget": {}}',
        '{"teacher": {"a": []}, "forget": []}',
        '{"recovery": {"student": []}, "forget": 3, "teacher": {}}',
    ],
)
def test_a_damaged_record_is_named(folder: RunFolder, name: str, content: str) -> None:
    (folder.root / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: is damaged"):
        lines(folder)
