"""The stopping rule of forgetting."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from scripts.engines.criterion import Criterion
from scripts.engines.predict import Logits


class StopAtGoal:
    """Measure the student every `every` rounds; end when the goal is reached and the rest is kept.

    Args:
        criterion: None where forgetting goes by steps alone: it never ends early.
        stop_at: progress at which forgetting may end.
        tolerance: loss of the key metric on the selection set at which it may end.
        min_rounds: rounds before which it does not end.
        logits: the student's, of a batch; see `predict`.
    """

    def __init__(
        self,
        *,
        criterion: Criterion | None,
        student: Any,
        stop_at: float,
        tolerance: float,
        min_rounds: int,
        every: int = 1,
        logits: Logits | None = None,
    ) -> None:
        self.criterion = criterion
        self.student, self.logits = student, logits
        self.stop_at = float(stop_at)
        self.tolerance = float(tolerance)
        self.min_rounds = int(min_rounds)
        self.every = max(1, int(every))

    def attach(self, engine: Engine) -> None:
        if self.criterion is not None:
            engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.every), self)

    def __call__(self, engine: Engine) -> None:
        assert self.criterion is not None
        found = self.criterion.measure(self.student.network, self.logits)
        engine.state.metrics.update(found)
        reached = found["progress"] >= self.stop_at and found["kept"] >= -self.tolerance
        if reached and engine.state.epoch >= self.min_rounds:
            engine.terminate()
