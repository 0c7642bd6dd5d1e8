"""Validation runs every so many epochs; an interval that means nothing is refused."""

from __future__ import annotations

import pytest
from ignite.engine import Engine
from monai.engines import Evaluator
from scripts.engines.handlers import Validation
from scripts.errors import InputError


class Counted(Evaluator):
    """Counts its runs."""

    def __init__(self) -> None:
        super().__init__(device="cpu", val_data_loader=[0], epoch_length=1)
        self.epochs: list[int] = []

    def run(self, global_epoch: int = 1) -> None:
        self.epochs.append(global_epoch)


def test_every_second_epoch() -> None:
    validator, trainer = Counted(), Engine(lambda engine, batch: None)
    Validation(interval=2, validator=validator).attach(trainer)
    trainer.run([0], max_epochs=5)
    assert validator.epochs == [2, 4]


@pytest.mark.parametrize("interval", [0, -3])
def test_an_interval_below_one(interval: int) -> None:
    with pytest.raises(InputError, match=f"validate_every: {interval} is not a positive number"):
        Validation(interval=interval, validator=Counted())
