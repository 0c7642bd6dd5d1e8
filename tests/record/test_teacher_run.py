"""Trained weights on disk: written once, replaced only on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.engines.handlers import KeepBest
from scripts.errors import InputError
from scripts.record.run_folder import RunFolder
from scripts.record.teacher_run import TeacherRun


def teacher_run(root: Path, path: Path, *, weight: float = 1.0, fail: bool = False, **settings: bool) -> TeacherRun:
    """A training that sets a weight."""
    network = nn.Linear(1, 1)

    def step(engine: Engine, batch: int) -> None:
        if fail:
            raise KeyboardInterrupt
        with torch.no_grad():
            network.weight.fill_(weight)

    trainer = Engine(step)
    run = trainer.run
    trainer.run = lambda: run([0], max_epochs=2)  # type: ignore[method-assign]
    folder = RunFolder(output_dir=root, log=False)
    return TeacherRun(trainer=trainer, best=KeepBest(network=network), path=path, folder=folder, **settings)


def weight(path: Path) -> float:
    return float(torch.load(path, weights_only=True)["weight"])


def test_weights_are_a_plain_state_dict_and_the_run_is_noted(tmp_path: Path) -> None:
    teacher_run(tmp_path / "run", tmp_path / "models" / "model.pt").run()
    nn.Linear(1, 1).load_state_dict(torch.load(tmp_path / "models" / "model.pt", weights_only=True), strict=True)
    state = RunFolder(output_dir=tmp_path / "run", log=False).read_state()
    assert state["trained_model"] == {"select": "best", "epochs": 2}


def test_what_is_finished_is_not_trained_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher_run(tmp_path / "run", tmp_path / "model.pt").run()
    teacher_run(tmp_path / "run", tmp_path / "model.pt", weight=2.0).run()
    assert weight(tmp_path / "model.pt") == 1 and "model.pt: already trained" in capsys.readouterr().out


def test_a_model_of_another_run_is_left_alone(tmp_path: Path) -> None:
    teacher_run(tmp_path / "run", tmp_path / "model.pt").run()
    with pytest.raises(InputError, match=r"model\.pt: exists already; give another model_dir or model_name, or"):
        teacher_run(tmp_path / "other", tmp_path / "model.pt", weight=2.0).run()
    assert weight(tmp_path / "model.pt") == 1
    teacher_run(tmp_path / "other", tmp_path / "model.pt", weight=2.0, overwrite=True).run()
    assert weight(tmp_path / "model.pt") == 2


def test_interrupted_training_leaves_no_model(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        teacher_run(tmp_path / "run", tmp_path / "model.pt", fail=True).run()
    assert not (tmp_path / "model.pt").exists()
