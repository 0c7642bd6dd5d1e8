"""Forget and restore on a part of the retain images, and what a run says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.retain_subset import CHOICES, POOL
from tests.commands.common import FORGET, RESTORE, assert_same_tensors, files, read, refusal, run

IMAGES = 12
SHORT = {"steps_per_round": 2, "min_rounds": 2, "max_rounds": 2, "bisect": False}
RESTORED = {"restore_epochs": 1, "restore_steps": 2}


@pytest.fixture
def asked(pool: Path, request_csv: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of both phases."""
    return {"model_dir": str(pool), "request": str(request_csv), "output_dir": str(tmp_path / "out")}


@pytest.mark.parametrize("choice", CHOICES)
def test_a_request_on_a_part_of_the_retain_images(asked: dict[str, Any], choice: str) -> None:
    part = {"retain_images": IMAGES, "retain_choice": choice}
    run("forget", {**FORGET, **SHORT, **asked, **part})
    run("restore", {**RESTORE, **RESTORED, **asked, **part})
    folder = Path(asked["output_dir"])
    assert {"release/student.pt", "private/adapter/adapter_model.safetensors"} <= files(folder)
    resolution = read(folder / "private" / "resolution.json")
    retain = resolution["sizes"]["retain"]["images"]
    looked = {"random": 0, "stratified": POOL * IMAGES, "nearest": retain + resolution["sizes"]["forget"]["images"]}
    counts = {"images": IMAGES, "patients": 3, "available": retain, "looked_at": looked[choice]}
    timing = read(folder / "release" / "timing.json")
    for said in (resolution, timing["forget"], timing["restore"]):
        spent = said["drawn_from"]["retain"].pop("choosing_seconds")
        assert spent > 0 if looked[choice] else spent >= 0
        assert said["drawn_from"] == {"retain": counts}
    assert not re.search(r"p\d{3}", (folder / "release" / "timing.json").read_text())


def test_another_part_is_no_resumption(asked: dict[str, Any]) -> None:
    first = {"retain_images": IMAGES, "retain_choice": "random"}
    run("forget", {**FORGET, **SHORT, **asked, **first})
    run("restore", {**RESTORE, **RESTORED, **asked, **first})
    for changed in ({"retain_images": 20}, {"retain_choice": "nearest"}, {"retain_images": "all"}):
        for name, settings in (("forget", {**FORGET, **SHORT}), ("restore", {**RESTORE, **RESTORED})):
            error = refusal(name, {**settings, **asked, **first, **changed})
            ((setting, value),) = changed.items()
            assert error.exit_code == 2 and f"({setting}: {value!r} not {first[setting]!r})" in str(error)


def test_all_is_what_it_was_without_the_settings(asked: dict[str, Any], tmp_path: Path) -> None:
    """152 retain images and more are all of them, and the released schedule takes all unless told otherwise."""
    students = []
    for number, part in enumerate(({}, {"retain_images": "all", "retain_choice": "nearest"}, {"retain_images": 999})):
        folder = tmp_path / str(number)
        run("forget", {**FORGET, **SHORT, **asked, **part, "output_dir": str(folder)})
        counts = read(folder / "private" / "resolution.json")["drawn_from"]["retain"]
        assert counts["images"] == counts["available"] and counts["looked_at"] == 0
        students.append(folder / "release" / "student.pt")
    assert_same_tensors(students[0], students[1])
    assert_same_tensors(students[0], students[2])


def test_released_schedule_on_a_part_only_where_it_is_asked_for(asked: dict[str, Any]) -> None:
    released = {"schedule": "released", "max_rounds": 1, "min_rounds": 1, "retain_batch": 16}
    for images, name in ((None, "all"), (IMAGES, "part")):
        folder = Path(asked["output_dir"]) / name
        run("forget", {**FORGET, **asked, **released, "retain_images": images, "output_dir": str(folder)})
        counts = read(folder / "private" / "resolution.json")["drawn_from"]["retain"]
        assert counts["images"] == (images or counts["available"])
        steps = read(folder / "release" / "timing.json")["forget"]["steps"]
        assert steps == -(-counts["images"] // 16) + 1
