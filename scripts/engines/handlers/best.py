"""The best state of a network on the selection set."""

from __future__ import annotations

import copy
from typing import Any

from ignite.engine import Engine, Events
from scripts.errors import InputError
from torch import nn


class KeepBest:
    """Keep the network's state at the validator's best key metric (`select: best`) or at the end (`last`).

    Part of what is resumed: the state, its epoch and its metric.
    """

    def __init__(self, *, network: nn.Module, select: str = "best") -> None:
        if select not in ("best", "last"):
            raise InputError(f"select: '{select}' is not one of best, last")
        self.network = network
        self.select = select
        self.metric = float("-inf")
        self.epoch = 0
        self.state: dict[str, Any] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to the validation engine."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        metric = float(engine.state.metrics[engine.state.key_metric_name])
        if metric > self.metric:
            # MONAI's ValidationHandler hands the trainer's epoch to the validator.
            self.metric, self.epoch = metric, engine.state.epoch
            if self.select == "best":
                self.state = copy.deepcopy(self.network.state_dict())

    def chosen(self) -> dict[str, Any]:
        """The state dict to be kept."""
        return self.state if self.select == "best" and self.state else self.network.state_dict()

    def summary(self) -> dict[str, Any]:
        """Epoch and metric of the best validation; nothing where there was none."""
        return {"epoch": self.epoch, "selection": self.metric} if self.epoch else {}

    def state_dict(self) -> dict[str, Any]:
        return {"metric": self.metric, "epoch": self.epoch, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.metric, self.epoch, self.state = state["metric"], state["epoch"], state["state"]
