"""The table of losses and metrics, and its TensorBoard twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from scripts.engines.handlers import History
from scripts.engines.handlers.history import COLUMNS, read_history
from scripts.errors import InputError
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def trained(path: Path, *, phase: str = "train", losses: tuple[float, ...] = (1.0, 3.0, 5.0, 7.0), **settings: Any):
    """Two epochs of two steps whose losses are given."""

    def step(engine: Engine, batch: int) -> dict[str, torch.Tensor]:
        return [{"loss": torch.tensor(losses[engine.state.iteration - 1]), "logits": torch.zeros(3, 2)}]

    engine = Engine(step)
    history = History(path=path, phase=phase, **settings)
    if settings.get("validator") is not None:
        validator = settings["validator"]

        def validate(own: Engine) -> None:
            validator.run([0])
            validator.state.metrics = {"selection": own.state.epoch / 10}

        engine.add_event_handler(Events.EPOCH_COMPLETED(every=2), validate)
    history.attach(engine)
    engine.run([0, 1], max_epochs=2)
    return history


def values(path: Path, name: str) -> list[tuple[str, int, int, float]]:
    rows = read_history(path)
    return [(r["phase"], int(r["epoch"]), int(r["iteration"]), float(r["value"])) for r in rows if r["name"] == name]


def test_one_row_an_epoch_with_the_mean_loss(tmp_path: Path) -> None:
    trained(tmp_path / "h.csv")
    assert values(tmp_path / "h.csv", "loss") == [("train", 1, 2, 2.0), ("train", 2, 4, 6.0)]
    assert tuple(read_history(tmp_path / "h.csv")[0]) == COLUMNS
    assert {row["name"] for row in read_history(tmp_path / "h.csv")} == {"loss"}  # tensors are no figures


def test_metrics_of_a_validation_stand_in_its_epoch_alone(tmp_path: Path) -> None:
    trained(tmp_path / "h.csv", validator=Engine(lambda engine, batch: None))
    assert values(tmp_path / "h.csv", "selection") == [("train", 2, 4, 0.2)]


def test_rows_of_other_phases_stay_and_own_ones_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    trained(path, phase="forget")
    trained(path, phase="restore", losses=(0.5, 0.5, 0.5, 0.5))
    trained(path, phase="forget", losses=(2.0, 2.0, 2.0, 2.0))
    found = values(path, "loss")
    assert [(phase, value) for phase, _, _, value in found] == [("restore", 0.5)] * 2 + [("forget", 2.0)] * 2


def test_tensorboard_shows_the_same_figures(tmp_path: Path) -> None:
    trained(tmp_path / "h.csv", phase="forget", tensorboard=tmp_path / "board")
    board = EventAccumulator(str(tmp_path / "board")).Reload()
    assert [(event.step, event.value) for event in board.Scalars("forget/loss")] == [(2, 2.0), (4, 6.0)]


def test_state_round_trip(tmp_path: Path) -> None:
    history, other = trained(tmp_path / "h.csv"), History(path=tmp_path / "x.csv", phase="train")
    other.load_state_dict(history.state_dict())
    assert other.rows == history.rows


def test_no_table_yet(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none.csv") == []


@pytest.mark.parametrize("name", ["progress", "kept"])
def test_metrics_that_a_handler_set_are_recorded(tmp_path: Path, name: str) -> None:
    engine = Engine(lambda engine, batch: [{"loss": torch.tensor(1.0)}])
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update({name: 0.25}))
    History(path=tmp_path / "h.csv", phase="forget").attach(engine)
    engine.run([0], max_epochs=1)
    assert values(tmp_path / "h.csv", name) == [("forget", 1, 1, 0.25)]


HEADER = b"phase,epoch,iteration,name,value\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a,b\n1,2\n",
        HEADER + b"train,1\n",
        HEADER + b"train,x,1,loss,1\n",
        HEADER + b"a,1,1,b,1,7\n",
        b"\0\n\n",
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"history.csv: is damaged.*; remove it"):
        read_history(tmp_path / "history.csv")


def test_a_table_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "history.csv").mkdir()
    assert read_history(tmp_path / "history.csv") == []
