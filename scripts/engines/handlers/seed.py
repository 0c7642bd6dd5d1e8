"""Random draws that depend on (seed, epoch) alone."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events

from scripts.data.datasets import derive_seed


class EpochSeed:
    """Seed torch (dropout) and the loaders at the start of each epoch: no generator state to save."""

    def __init__(self, *, seed: int, loaders: Any) -> None:
        self.seed = int(seed)
        self.loaders = loaders if isinstance(loaders, (list, tuple)) else [loaders]

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        torch.manual_seed(derive_seed(self.seed, engine.state.epoch, "torch"))
        for loader in self.loaders:
            loader.set_epoch(engine.state.epoch)
