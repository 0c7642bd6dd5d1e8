"""The restoration phase: gentle supervised refinement of the head on retain data."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.trainer import Trainer
from scripts import processes
from scripts.data.divided import part_of
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.criterion import Criterion
from scripts.engines.finite import require_finite
from scripts.engines.forward import Forward
from scripts.engines.predict import Logits
from scripts.errors import require_positive
from scripts.student.student import Student


class RestoreTrainer(Trainer):
    """MONAI Trainer whose iteration fits the student's head to the labels of retain images.

    Args:
        student: with `open_head` called; adapter and base stay as they are.
        forward: logits of the student; None runs the whole network each time.
        loss_function: supervised loss of (logits, label).
        settings: of MONAI's Trainer (max_epochs, data_loader, handlers, ...).
    """

    def __init__(
        self,
        *,
        arithmetic: Arithmetic,
        student: Student,
        optimizer: torch.optim.Optimizer,
        loss_function: Any,
        forward: Forward | None = None,
        **settings: Any,
    ) -> None:
        require_positive(restore_epochs=settings.get("max_epochs", 1))
        super().__init__(device=arithmetic.device, decollate=False, **settings)
        self.arithmetic = arithmetic
        self.student = student
        self.optimizer = optimizer
        self.loss_function = loss_function
        self.forward = forward or Forward(arithmetic=arithmetic, student=student.network)

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
        batch = self.arithmetic.move(batchdata)
        self.student.eval()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_function(self.forward.student(batch), batch["label"])
        loss = part_of(batch).share * loss
        shown = require_finite(
            processes.summed(loss.detach()), step=engine.state.iteration, setting="restore_learning_rate"
        )
        loss.backward()
        processes.sum_gradients(self.student.head_parameters())
        self.optimizer.step()
        return [{"loss": shown}]


class KeepBestHead:
    """Keep the head that does best on the selection set without undoing the forgetting; early stop.

    The head before restoration is the first candidate, so restoration never makes things worse there.

    Args:
        drift: change of the forgetting progress that is accepted.
        patience: epochs without a better head before the end; 0 never ends early.
        logits: the student's, of a batch; see `predict`.
    """

    def __init__(
        self, *, criterion: Criterion, student: Student, drift: float, patience: int, logits: Logits | None = None
    ) -> None:
        self.criterion = criterion
        self.student, self.logits = student, logits
        self.drift = float(drift)
        self.patience = int(patience)
        self.waited = 0
        self.best: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.state: dict[str, torch.Tensor] = {}

    def attach(self, engine: Engine) -> None:
        # After the handler that loads an interrupted run: it must stand earlier in the list.
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Measure the student as it comes."""
        if not self.first:
            self.first = self.best = self.criterion.measure(self.student.network, self.logits)
            self.state = self._copy()

    def __call__(self, engine: Engine) -> None:
        found = self.criterion.measure(self.student.network, self.logits)
        engine.state.metrics.update(found)
        held = abs(found["progress"] - self.first["progress"]) <= self.drift
        if held and found["kept"] > self.best["kept"]:
            self.best, self.state, self.waited = found, self._copy(), 0
        else:
            self.waited += 1
        if self.patience and self.waited >= self.patience:
            engine.terminate()

    def finish(self, engine: Engine) -> None:
        """Put the best head in place."""
        self.student.load_trainable(self.state)

    def _copy(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.student.state_dict_trainable().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"waited": self.waited, "best": self.best, "first": self.first, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.waited, self.best, self.first, self.state = state["waited"], state["best"], state["first"], state["state"]
