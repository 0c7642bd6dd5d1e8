"""Supervised training of the teacher, and of the models it is compared with."""

from __future__ import annotations

import logging
from typing import Any

from ignite.engine import Engine
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys as Keys
from scripts import processes
from scripts.data.divided import part_of
from scripts.data.feed_back import FeedBack
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.batch_norm import synchronised
from scripts.engines.finite import require_finite
from scripts.errors import require_positive


class TeacherTrainer(SupervisedTrainer):
    """MONAI's SupervisedTrainer with autocast on any device and a learning rate set per step.

    Args:
        arithmetic: device, precision and memory format.
        scheduler: torch learning-rate scheduler, stepped once an iteration.
        feed_back: is told which answers were wrong.
        settings: of `SupervisedTrainer`.
    """

    def __init__(
        self, *, arithmetic: Arithmetic, scheduler: Any = None, feed_back: FeedBack | None = None, **settings: Any
    ) -> None:
        require_positive(epochs=settings.get("max_epochs", 1))
        settings["network"] = synchronised(settings["network"], device=arithmetic.device)
        super().__init__(device=arithmetic.device, decollate=False, **settings)
        # What goes wrong is printed once, by the front end, and not by ignite as well.
        self.logger.setLevel(logging.CRITICAL)
        self.arithmetic = arithmetic
        self.scheduler, self.feed_back = scheduler, feed_back

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> list[dict[str, Any]]:  # type: ignore[override]
        batch = self.arithmetic.move(batchdata)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self.arithmetic.autocast():
            predicted = self.inferer(batch["image"], self.network)
        loss = part_of(batch).share * self.loss_function(predicted.float(), batch["label"])
        if self.feed_back is not None:
            self.feed_back.observe(batch["image_id"], predicted.float(), batch["label"])
        shown = require_finite(processes.summed(loss.detach()), step=engine.state.iteration)
        loss.backward()
        processes.sum_gradients(self.network.parameters())
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        # A list, as MONAI's engines have it, and so its handlers of losses.
        engine.state.output = [{Keys.LOSS: shown}]
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return engine.state.output


class TeacherEvaluator(SupervisedEvaluator):
    """MONAI's SupervisedEvaluator with the same arithmetic; logits and labels go to its metrics."""

    def __init__(self, *, arithmetic: Arithmetic, **settings: Any) -> None:
        super().__init__(device=arithmetic.device, decollate=False, **settings)
        self.logger.setLevel(logging.CRITICAL)
        self.arithmetic = arithmetic

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> dict[str, Any]:
        batch = self.arithmetic.move(batchdata)
        with self.mode(self.network), self.arithmetic.autocast():
            predicted = self.inferer(batch["image"], self.network)
        engine.state.output = {Keys.PRED: predicted.float(), Keys.LABEL: batch["label"]}
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return engine.state.output
