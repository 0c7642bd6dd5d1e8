"""When an evaluation asks for fold teachers: only where models without the patients are what is to be matched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripts.engines import fold_teachers
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of


@pytest.mark.parametrize(
    ("given", "asked"),
    [({}, True), ({"goal": "suppress"}, False), ({"attacks": []}, False), ({"fold_dir": "elsewhere"}, True)],
)
def test_goal_and_attacks_decide(
    given: dict[str, Any], asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(fold_teachers, "load_fold_teachers", lambda **own: seen.append(own["model_dir"]) or {0: []})
    settings = settings_of({"model_dir": "models", "output_dir": str(tmp_path), "device": "cpu", **given}, "evaluate")
    workspace = Workspace(workflow="evaluate", settings=settings)
    # What the fold teachers are loaded with is not what is tested here.
    workspace.__dict__.update(cohort=None, network_def=None, arithmetic=None)
    assert workspace.fold_teachers == ({0: []} if asked else {})
    assert seen == ([given.get("fold_dir", "models")] if asked else [])
