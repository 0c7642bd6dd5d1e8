"""A bare list of withdrawals with its date is answered as a request is, by each step and by the chain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.commands.common import FORGET, FORGOTTEN, refusal, run

DATE = "2026-01-31"


def listed(folder: Path) -> dict[str, str]:
    path = folder / "w-7.csv"
    path.write_text("\n".join(("eid", *FORGOTTEN)), encoding="utf-8")
    return {"withdrawn": str(path), "requested_on": DATE}


def test_it_gives_the_student_of_the_request(pool: Path, finished: Path, tmp_path: Path) -> None:
    own = {**FORGET, "model_dir": str(pool), "output_dir": str(tmp_path / "run"), **listed(tmp_path)}
    run("forget", own)
    student = tmp_path / "run" / "release" / "student.pt"
    assert student.read_bytes() == (finished / "forget" / "release" / "student.pt").read_bytes()
    # The chain hands both settings on: its first step is done already.
    run("unlearn", {**own, "surface": False, "attacks": [], "restore_epochs": 1, "restore_steps": 1})
    found = json.loads((tmp_path / "run" / "private" / "resolution.json").read_text())["request"]
    assert (found["request_id"], found["requested_on"], found["ground"]) == ("w-7", DATE, "consent_withdrawn")
    assert (tmp_path / "run" / "release" / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requested_on": ""}, "give both, or neither"),
        ({"withdrawn": ""}, "give both, or neither"),
        ({"requested_on": "31.1.2026"}, "requested_on '31.1.2026' is not a date as 2026-01-31"),
    ],
)
@pytest.mark.parametrize("workflow", ["forget", "unlearn"])
def test_half_of_it_is_refused(
    pool: Path, tmp_path: Path, workflow: str, changes: dict[str, str], message: str
) -> None:
    own = {**FORGET, "model_dir": str(pool), "output_dir": str(tmp_path / "run"), **listed(tmp_path), **changes}
    assert message in str(refusal(workflow, own))
    assert not (tmp_path / "run").exists()


def test_beside_a_request_it_is_refused(pool: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "request.csv", tmp_path / "request.csv")
    own = {**FORGET, "model_dir": str(pool), **listed(tmp_path), "request": str(tmp_path / "request.csv")}
    assert "are both given; give one" in str(refusal("forget", own))
