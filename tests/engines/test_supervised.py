"""A training that was interrupted ends where the uninterrupted one ends, bit for bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Events
from monai.handlers import ValidationHandler
from monai.inferers import SimpleInferer
from scripts.data.datasets import EpochLoader
from scripts.data.transforms import augmentation
from scripts.engines.handlers import EarlyStop, EpochSeed, History, KeepBest, Resume
from scripts.engines.handlers.history import read_history
from scripts.engines.metric import TaskMetric
from scripts.engines.schedule import learning_rate_schedule
from scripts.engines.supervised import TeacherEvaluator, TeacherTrainer
from scripts.errors import InputError
from scripts.objectives.supervised import supervised_loss
from torch import nn


class Interrupted(Exception):
    pass


class Dropped(nn.Module):
    """The tiny network with dropout on its input, so that the torch seed of an epoch matters."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.dropout, self.inner = nn.Dropout(0.1), inner

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.inner(self.dropout(image))


def training(bench, folder: Path, *, epochs: int = 3, interval: int = 1, patience: int = 0, **settings: Any):
    """Trainer, handlers and validation as configs/train.yaml puts them together."""
    network = Dropped(bench.network(seed=settings.get("init", 1)))
    optimizer = torch.optim.AdamW(network.parameters(), settings.get("rate", 5e-3))
    loaders = bench.loaders(augment=augmentation("phantom"))
    loader = EpochLoader(loaders.training(["retain"])["retain"], batch_size=8, seed=4, shuffle=True)
    scheduler = learning_rate_schedule(optimizer=optimizer, name="cosine", steps=epochs * len(loader))
    best = KeepBest(network=network, select="best")
    evaluator = TeacherEvaluator(
        arithmetic=bench.arithmetic,
        val_data_loader=loaders.evaluation("selection"),
        network=network,
        inferer=SimpleInferer(),
        key_val_metric={"selection": TaskMetric(task=bench.task)},
        val_handlers=[best],
    )
    early_stop = EarlyStop(validator=evaluator, patience=patience)
    history = History(path=folder / "history.csv", phase="train", validator=evaluator)
    resume = Resume(
        path=folder / "train.pt",
        objects={
            "network": network,
            "optimizer": optimizer,
            "scheduler": scheduler,
            "best": best,
            "early_stop": early_stop,
            "history": history,
        },
        fingerprint={"epochs": epochs},
    )
    trainer = TeacherTrainer(
        arithmetic=bench.arithmetic,
        max_epochs=epochs,
        train_data_loader=loader,
        network=network,
        optimizer=optimizer,
        scheduler=scheduler,
        loss_function=settings.get("loss", supervised_loss("segmentation")),
        inferer=SimpleInferer(),
        train_handlers=[
            resume,
            EpochSeed(seed=4, loaders=loader),
            ValidationHandler(interval=interval, validator=evaluator, epoch_level=True),
            early_stop,
            history,
        ],
    )
    return SimpleNamespace(
        trainer=trainer,
        network=network,
        optimizer=optimizer,
        scheduler=scheduler,
        best=best,
        early_stop=early_stop,
        history=history,
        steps=len(loader),
        validator=evaluator,
    )


def interrupt(trainer: TeacherTrainer, *, at: int) -> None:
    """Break off in the middle of step `at`."""

    def stop(engine: Any) -> None:
        raise Interrupted

    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=at), stop)


def flat(value: Any) -> Any:
    """Nested states as comparable values."""
    if isinstance(value, torch.Tensor):
        return value.shape, value.dtype, value.tolist()
    if isinstance(value, dict):
        return {key: flat(part) for key, part in value.items()}
    return [flat(part) for part in value] if isinstance(value, (list, tuple)) else value


def outcome(run: SimpleNamespace) -> dict[str, Any]:
    parts = ("network", "optimizer", "scheduler", "best", "early_stop", "history")
    return {name: flat(getattr(run, name).state_dict()) for name in parts} | {"epoch": run.trainer.state.epoch}


@pytest.mark.parametrize(("interval", "broken_epoch"), [(1, 2), (2, 2), (2, 3)])
def test_resumed_is_bit_equal_to_uninterrupted(bench, tmp_path: Path, interval: int, broken_epoch: int) -> None:
    whole = training(bench, tmp_path / "whole", interval=interval)
    whole.trainer.run()
    first = training(bench, tmp_path / "parts", interval=interval)
    interrupt(first.trainer, at=(broken_epoch - 1) * first.steps + 2)
    with pytest.raises(Interrupted):
        first.trainer.run()
    assert not (tmp_path / "parts" / "history.csv").exists()
    torch.manual_seed(99)  # another process has another generator and other initial weights
    second = training(bench, tmp_path / "parts", interval=interval, init=7)
    second.trainer.run()
    assert outcome(second) == outcome(whole)
    assert (tmp_path / "parts" / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()
    assert second.trainer.state.iteration == 3 * whole.steps


def test_a_finished_training_is_not_trained_again(bench, tmp_path: Path) -> None:
    first = training(bench, tmp_path, epochs=2)
    first.trainer.run()
    again = training(bench, tmp_path, epochs=2, init=7)
    steps: list[int] = []
    again.trainer.add_event_handler(Events.ITERATION_STARTED, lambda engine: steps.append(engine.state.iteration))
    again.trainer.run()
    assert not steps and outcome(again) == outcome(first)


def test_changed_settings_do_not_resume(bench, tmp_path: Path) -> None:
    training(bench, tmp_path, epochs=1).trainer.run()
    with pytest.raises(InputError, match="interrupted run with epochs = 1, not 2"):
        training(bench, tmp_path, epochs=2).trainer.run()


def test_early_stop_ends_the_training_and_stays_ended(bench, tmp_path: Path) -> None:
    # With no learning rate and buffers that settle, no validation is better by more than a little.
    run = training(bench, tmp_path, epochs=9, patience=2, rate=0.0)
    run.early_stop.min_delta = 1.0
    run.trainer.run()
    assert run.trainer.state.epoch == 3 and run.early_stop.waited == 2
    again = training(bench, tmp_path, epochs=9, patience=2, rate=0.0)
    again.trainer.run()
    assert again.trainer.state.epoch == 3


def test_the_best_epoch_is_kept(bench, tmp_path: Path) -> None:
    run = training(bench, tmp_path, epochs=3)
    states: dict[int, dict[str, torch.Tensor]] = {}
    run.trainer.add_event_handler(
        Events.EPOCH_COMPLETED,
        lambda engine: states.update({engine.state.epoch: {k: v.clone() for k, v in run.network.state_dict().items()}}),
    )
    run.trainer.run()
    rows = [row for row in read_history(tmp_path / "history.csv") if row["name"] == "selection"]
    metrics = {int(row["epoch"]): float(row["value"]) for row in rows}
    assert set(metrics) == {1, 2, 3}
    top = max(metrics, key=lambda epoch: metrics[epoch])
    assert run.best.summary() == {"epoch": top, "selection": metrics[top]}
    assert all(torch.equal(value, states[top][name]) for name, value in run.best.chosen().items())


def test_validation_leaves_the_network_in_training_mode_and_its_buffers_alone(bench, tmp_path: Path) -> None:
    with_validation, without = training(bench, tmp_path / "a"), training(bench, tmp_path / "b", interval=9)
    with_validation.trainer.run(), without.trainer.run()
    assert flat(with_validation.network.state_dict()) == flat(without.network.state_dict())


def test_training_learns(bench, tmp_path: Path) -> None:
    run = training(bench, tmp_path, epochs=6, rate=1e-2)
    run.trainer.run()
    losses = [float(row["value"]) for row in read_history(tmp_path / "history.csv") if row["name"] == "loss"]
    assert len(losses) == 6 and losses == sorted(losses, reverse=True) and losses[-1] < 0.9 * losses[0]


def test_a_loss_that_is_no_number_ends_it(bench, tmp_path: Path) -> None:
    def broken(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return logits.mean() * float("nan")

    run = training(bench, tmp_path, loss=broken)
    before = flat(run.network.inner.state_dict()["final_conv.weight"])
    with pytest.raises(InputError, match="at step 1: nothing was written"):
        run.trainer.run()
    assert list(tmp_path.iterdir()) == []
    assert flat(run.network.inner.state_dict()["final_conv.weight"]) == before
