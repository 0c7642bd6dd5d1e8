"""A run of the whole job on a few phantom patients, in one folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run left, and the parts that made it."""

    folder: Any
    student: Any
    trainer: Any
    evaluation: Any


def forget(bench: Any, root: Path, *, rounds: int = 2, bisect: bool = True) -> tuple[Any, Any, Any]:
    """Folder, student and trainer of a forgetting phase with all handlers of configs/forget.yaml."""
    import torch
    from scripts.engines.forget import ForgetTrainer
    from scripts.engines.forward import Forward
    from scripts.engines.handlers import EpochSeed, History, Resume, StopAtGoal, StudentState
    from scripts.objectives.registry import build_forget_objective, build_retain_objective
    from scripts.record.outcome import FitScale, SaveStudent
    from scripts.record.resolution import WriteResolution
    from scripts.record.run_folder import RunFolder
    from scripts.record.timing import Timing

    folder = RunFolder(output_dir=root, log=False)
    student = bench.student(dropout=0.0)
    optimizer = torch.optim.AdamW(student.trainable(), 2e-2)
    loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=4)
    criterion = bench.criterion(goal="suppress", bound=0.3)
    history = History(path=folder.history, phase="forget", tensorboard=folder.tensorboard)
    objects = {"student": StudentState(student), "optimizer": optimizer, "history": history}
    trainer = ForgetTrainer(
        arithmetic=bench.arithmetic,
        student=student,
        forward=Forward(arithmetic=bench.arithmetic, student=student.network, teacher=bench.teacher),
        loader=loader,
        optimizer=optimizer,
        forget_objective=build_forget_objective("background", "segmentation"),
        retain_objective=build_retain_objective("distillation", "segmentation"),
        max_epochs=rounds,
        handlers=[
            WriteResolution(folder=folder, cohort=bench.cohort),
            Resume(path=folder.checkpoint("forget"), objects=objects),
            EpochSeed(seed=0, loaders=loader),
            StopAtGoal(criterion=criterion, student=student, stop_at=9.0, tolerance=1.0, min_rounds=1),
            history,
            FitScale(criterion=criterion, student=student, enabled=bisect),
            SaveStudent(folder=folder, student=student, phase="forget", noted={"goal": "suppress"}),
            Timing(path=folder.timing, phase="forget"),
        ],
    )
    trainer.run()
    return folder, student, trainer


def evaluate(bench: Any, folder: Any, student: Any, **settings: Any) -> Any:
    from scripts.record.evaluation import Evaluation

    models = {"teacher": bench.teacher, "student": student.eval().network, "retrained": None}
    evaluation = Evaluation(
        **{
            "models": models,
            "loaders": bench.loaders(),
            "task": bench.task,
            "arithmetic": bench.arithmetic,
            "folder": folder,
        }
        | settings
    )
    evaluation.run()
    return evaluation


@pytest.fixture(scope="session")
def finished(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that tests only read."""
    folder, student, trainer = forget(bench, tmp_path_factory.mktemp("finished") / "run")
    return Run(folder, student, trainer, evaluate(bench, folder, student))


@pytest.fixture
def forget_run(bench: Any, tmp_path: Path):
    """Make a run of the forgetting phase of one's own."""
    return lambda name="run", **settings: forget(bench, tmp_path / name, **settings)
