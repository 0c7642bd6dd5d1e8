"""Draws of an epoch depend on (seed, epoch) alone."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from scripts.engines.handlers import EpochSeed


class Loader:
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)


def draws(*, seed: int, loaders: object, epochs: int = 3) -> list[float]:
    found: list[float] = []
    engine = Engine(lambda engine, batch: found.append(float(torch.rand(()))))
    EpochSeed(seed=seed, loaders=loaders).attach(engine)
    engine.run([0, 1], max_epochs=epochs)
    return found


def test_the_same_whatever_the_generator_was() -> None:
    torch.manual_seed(1)
    one = draws(seed=5, loaders=[])
    torch.manual_seed(2)
    assert draws(seed=5, loaders=[]) == one and len(set(one)) == 6
    assert draws(seed=6, loaders=[]) != one


def test_loaders_are_told_the_epoch() -> None:
    one, two = Loader(), Loader()
    draws(seed=0, loaders=(one, two))
    draws(seed=0, loaders=one, epochs=1)
    assert one.epochs == [1, 2, 3, 1] and two.epochs == [1, 2, 3]
