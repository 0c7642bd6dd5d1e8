"""Options that name data and models may be given to every step of a request; nothing else is let pass."""

from __future__ import annotations

import contextlib
import io

import pytest
from scripts.data import notices
from tests.commands.common import front_end


@pytest.mark.parametrize("name", ["dataset_dir", "fold_dir", "reference_dir"])
def test_a_place_that_the_step_does_not_need_is_said(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "_SAID", set())
    said: list[str] = []
    monkeypatch.setattr("scripts.settings.keys.notice", said.append)
    with contextlib.redirect_stdout(io.StringIO()):
        code, errors = front_end("revert", {name: str(tmp_path), "output_dir": str(tmp_path / "nowhere")})
    assert said == [f"{name}: revert has no use for it"]
    assert code == 2 and "holds no run" in errors


def test_a_setting_of_another_workflow_is_refused(tmp_path) -> None:
    code, errors = front_end("revert", {"epochs": 3, "output_dir": str(tmp_path / "nowhere")})
    assert code == 2 and "unknown key 'epochs'" in errors
