"""The restoration phase: the head alone is refined, the best one is kept, and forgetting is held."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from scripts.data.joint import SingleLoader
from scripts.engines.forward import Forward
from scripts.engines.handlers import EpochSeed, History, Resume, StudentState
from scripts.engines.restore import KeepBestHead, RestoreTrainer
from scripts.errors import InputError
from scripts.frozen.cache import FrozenCache
from scripts.objectives.supervised import supervised_loss
from scripts.student.hashing import state_hash


class Interrupted(Exception):
    pass


class Scripted:
    """A criterion whose measurements are written down beforehand: (progress, kept), the first before training."""

    def __init__(self, *measurements: tuple[float, float]) -> None:
        self.left = list(measurements)

    def measure(self, network: Any, logits: Any = None) -> dict[str, float]:
        progress, kept = self.left.pop(0)
        return {"progress": progress, "kept": kept}


def moved_student(bench) -> Any:
    """A student as forgetting leaves it."""
    student = bench.student()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in student.trainable():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    student.open_head()
    return student


def restoring(bench, folder: Path, *, criterion: Any = None, epochs: int = 4, **settings: Any) -> SimpleNamespace:
    """Trainer and handlers as configs/restore.yaml puts them together."""
    student = moved_student(bench)
    optimizer = torch.optim.AdamW(student.head_parameters(), settings.get("rate", 1e-2))
    loader = SingleLoader(joint=bench.loaders().joint(forget=0, retain=4, guard=0, steps=3), name="retain")
    best = KeepBestHead(
        criterion=criterion or bench.criterion(),
        student=student,
        drift=settings.get("drift", 0.05),
        patience=settings.get("patience", 9),
    )
    cache = FrozenCache(folder=folder / "frozen", megabytes=settings.get("megabytes", 0))
    forward = Forward(arithmetic=bench.arithmetic, student=student.network, cache=cache)
    best.logits = forward.student
    history = History(path=folder / "history.csv", phase="restore")
    resume = Resume(
        path=folder / "restore.pt",
        objects={"student": StudentState(student), "optimizer": optimizer, "best": best, "history": history},
    )
    heads: list[list[float]] = []
    trainer = RestoreTrainer(
        arithmetic=bench.arithmetic,
        student=student,
        optimizer=optimizer,
        loss_function=settings.get("loss", supervised_loss("segmentation")),
        forward=forward,
        max_epochs=epochs,
        data_loader=loader,
        epoch_length=len(loader),
        handlers=[resume, EpochSeed(seed=2, loaders=loader), best, history],
    )
    trainer.add_event_handler(Events.STARTED, lambda engine: heads.append(head(student)))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: heads.append(head(student)))
    return SimpleNamespace(
        trainer=trainer, cache=cache, student=student, optimizer=optimizer, best=best, history=history, heads=heads
    )


def head(student: Any) -> list[float]:
    return torch.cat([value.detach().flatten() for value in student.head_parameters()]).tolist()


def test_only_the_head_changes(bench, tmp_path: Path) -> None:
    run = restoring(bench, tmp_path, criterion=Scripted(*[(1.0, -0.1 + 0.01 * i) for i in range(5)]))
    before = run.student.state_dict_trainable()
    buffers = {name: value.clone() for name, value in run.student.network.named_buffers()}
    run.trainer.run()
    after = run.student.state_dict_trainable()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("head."))
    assert all(not torch.equal(after[name], before[name]) for name in before if name.startswith("head."))
    assert all(torch.equal(value, buffers[name]) for name, value in run.student.network.named_buffers())
    # The way back is still there.
    assert state_hash(run.student.revert().state_dict()) == state_hash(bench.teacher.state_dict())


@pytest.mark.parametrize(
    ("measurements", "chosen"),
    [
        ([(1.0, -0.10), (1.0, -0.05), (1.0, -0.02), (1.0, -0.03), (1.0, -0.04)], 2),  # the best one
        ([(1.0, -0.10), (1.0, -0.11), (1.0, -0.12), (1.0, -0.13), (1.0, -0.14)], 0),  # none is better than at first
        ([(1.0, -0.10), (0.9, 0.00), (1.04, -0.05), (1.2, 0.10), (0.96, -0.06)], 2),  # the best that held
        ([(1.0, -0.10), (1.0, float("nan")), (1.0, -0.05), (1.0, -0.10), (1.0, -0.1)], 2),  # undefined is not better
    ],
)
def test_the_best_head_that_held_the_forgetting_is_put_back(bench, tmp_path: Path, measurements, chosen: int) -> None:
    run = restoring(bench, tmp_path, criterion=Scripted(*measurements))
    run.trainer.run()
    assert len(run.heads) == 5 and len({tuple(values) for values in run.heads}) == 5
    assert head(run.student) == run.heads[chosen]
    assert run.best.best == {"progress": measurements[chosen][0], "kept": measurements[chosen][1]}


def test_what_lies_before_the_head_is_computed_once_an_image(bench, tmp_path: Path) -> None:
    """Same measurements and head as by whole forward passes, up to the rounding that goes with a batch's size."""
    whole, cached = restoring(bench, tmp_path / "whole"), restoring(bench, tmp_path / "cached", megabytes=100)
    whole.trainer.run()
    cached.trainer.run()
    assert whole.cache.report() == {"bytes": 0}
    images = sum(len(bench.loaders().dataset(name)) for name in ("forget", "retain", "selection"))
    found = cached.cache.report()["student"]
    assert 0 < found["computed"] <= images and found["looked_up"] > found["computed"]
    assert head(cached.student) == pytest.approx(head(whole.student), abs=1e-4)
    assert cached.best.first == pytest.approx(whole.best.first, abs=1e-4)
    # Whether one of them was better than the first is the teacher's luck; that it was trained is not.
    assert cached.heads[-1] != head(moved_student(bench))
    assert cached.heads[-1] == pytest.approx(whole.heads[-1], abs=1e-4)


def test_early_stop(bench, tmp_path: Path) -> None:
    measurements = [(1.0, -0.1), (1.0, -0.05), (1.0, -0.06), (1.0, -0.07), (1.0, 0.5)]
    run = restoring(bench, tmp_path, criterion=Scripted(*measurements), epochs=9, patience=2)
    run.trainer.run()
    assert run.trainer.state.epoch == 3 and head(run.student) == run.heads[1]


def test_without_patience_it_never_ends_early(bench, tmp_path: Path) -> None:
    run = restoring(bench, tmp_path, criterion=Scripted(*[(1.0, -0.1 * i) for i in range(5)]), patience=0)
    run.trainer.run()
    assert run.trainer.state.epoch == 4


@pytest.mark.parametrize("step", [5, 10])
def test_resumed_is_bit_equal_to_uninterrupted(bench, tmp_path: Path, step: int) -> None:
    whole = restoring(bench, tmp_path / "whole")
    whole.trainer.run()
    first = restoring(bench, tmp_path / "parts")

    def stop(engine: Any) -> None:
        raise Interrupted

    first.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=step), stop)
    with pytest.raises(Interrupted):
        first.trainer.run()
    torch.manual_seed(99)
    second = restoring(bench, tmp_path / "parts")
    second.trainer.run()
    assert head(second.student) == head(whole.student)
    assert second.history.rows == whole.history.rows
    assert (second.best.best, second.best.first) == (whole.best.best, whole.best.first)


def test_a_finished_restoration_gives_the_same_head_again(bench, tmp_path: Path) -> None:
    measurements = [(1.0, -0.1), (1.0, -0.05), (1.0, -0.2), (1.0, -0.2), (1.0, -0.2)]
    first = restoring(bench, tmp_path, criterion=Scripted(*measurements))
    first.trainer.run()
    again = restoring(bench, tmp_path, criterion=Scripted())
    again.trainer.run()
    assert head(again.student) == head(first.student) == first.heads[1]


def test_restoration_with_the_real_criterion_does_not_lose_what_is_kept(bench, tmp_path: Path) -> None:
    run = restoring(bench, tmp_path, drift=10.0, rate=3e-3)
    criterion = bench.criterion()
    before = criterion.measure(run.student.network)
    run.trainer.run()
    assert criterion.measure(run.student.network)["kept"] >= before["kept"]


def test_a_loss_that_is_no_number_names_the_step(bench, tmp_path: Path) -> None:
    run = restoring(bench, tmp_path, loss=lambda logits, label: logits.sum() / 0.0)
    with pytest.raises(InputError, match="at step 1: nothing was written"):
        run.trainer.run()
    assert list(tmp_path.iterdir()) == []
