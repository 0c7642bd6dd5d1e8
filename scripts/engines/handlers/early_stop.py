"""Stop when the key metric no longer rises; unlike MONAI's, with a state that can be resumed."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events


class EarlyStop:
    """End the training after `patience` validations without a rise by more than `min_delta`; 0 never does.

    Attach it to the trainer.

    Args:
        validator: the engine whose key metric is watched.
    """

    def __init__(self, *, validator: Engine, patience: int, min_delta: float = 0.0) -> None:
        self.validator = validator
        self.trainer: Engine | None = None
        self.patience = int(patience)
        self.min_delta = float(min_delta)
        self.best = float("-inf")
        self.waited = 0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, and listen to its validator."""
        self.trainer = engine
        self.validator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        self.update(float(engine.state.metrics[engine.state.key_metric_name]))

    def update(self, metric: float) -> bool:
        """Take one validation; True when it is time to stop."""
        if metric > self.best + self.min_delta:
            self.best, self.waited = metric, 0
        else:
            self.waited += 1
        stop = bool(self.patience) and self.waited >= self.patience
        if stop and self.trainer is not None:
            self.trainer.terminate()
        return stop

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
