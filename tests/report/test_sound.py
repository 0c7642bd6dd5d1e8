"""A released page that nobody wrote by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import Refused
from scripts.files import write_json
from scripts.report.page import Report
from scripts.report.sound import require_sound_report
from tests.record.judged import Run, passing_pool


@pytest.fixture(scope="module")
def passing() -> dict[str, Any]:
    return passing_pool()


@pytest.fixture
def run(tmp_path: Path, passing: dict[str, Any]) -> Run:
    made = Run(tmp_path, passing)
    sets = {name: {"n_patients": 3, "dice": {"mean": 0.9}} for name in ("forget", "test")}
    write_json(made.folder.metrics, {"teacher": sets, "student": sets})
    require_sound_report(made.folder)
    made.judge()
    Report(folder=made.folder, synthetic=True).write()
    return made


def metrics(run: Run) -> None:
    content = json.loads(run.folder.metrics.read_text())
    content["student"]["test"]["dice"]["mean"] = 0.99
    write_json(run.folder.metrics, content)


def link(run: Run) -> None:
    path = run.folder.release / "report.html"
    path.rename(path.with_name("page.html"))
    path.symlink_to("page.html")


def by_hand(run: Run) -> None:
    path = run.folder.release / "report.html"
    path.write_text(path.read_text().replace("0.900", "0.999"))


def test_the_page_of_verify_is_sound(run: Run) -> None:
    require_sound_report(run.folder)
    (run.folder.release / "report.html").unlink()
    require_sound_report(run.folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (by_hand, "is not what the run's files give"),
        (metrics, "is not what the run's files give"),
        (lambda run: run.folder.verdict.unlink(), "shows a verdict that is not there"),
        (lambda run: run.folder.metrics.write_text("[]"), "is not what|cannot be compared"),
        (link, "is a link, not a file"),
    ],
)
def test_another_page_is_refused(run: Run, spoil: Callable[[Run], None], message: str) -> None:
    spoil(run)
    with pytest.raises(Refused, match=f"report.html: .*({message}).*run verify again"):
        require_sound_report(run.folder)


def test_a_page_that_is_a_pipe_ends_no_command(run: Run) -> None:
    path = run.folder.release / "report.html"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Refused, match="is a pipe"):
        require_sound_report(run.folder)
