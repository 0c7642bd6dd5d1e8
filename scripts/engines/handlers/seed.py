"""Random draws that depend on (seed, epoch) alone."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from scripts import processes
from scripts.data.datasets import derive_seed


class EpochSeed:
    """Seed torch (dropout) and the loaders at the start of each epoch: no generator state to save.

    Each of several processes has dropout of its own: with the same draws it would repeat itself within a batch.
    """

    def __init__(self, *, seed: int, loaders: Any) -> None:
        self.seed = int(seed)
        self.loaders = loaders if isinstance(loaders, (list, tuple)) else [loaders]

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        own = (processes.rank(),) if processes.rank() else ()
        torch.manual_seed(derive_seed(self.seed, engine.state.epoch, "torch", *own))
        for loader in self.loaders:
            loader.set_epoch(engine.state.epoch)
