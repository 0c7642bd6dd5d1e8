"""An engine whose only step is all there is to do: for methods that take no optimiser steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Engine
from monai.engines.trainer import Trainer
from scripts.engines.arithmetic import Arithmetic


class SingleStep(Trainer):
    """MONAI Trainer of one epoch and one iteration, which calls `action`.

    Args:
        action: what is done to the student; None leaves it as it is.
        parts: of a `ForgetTrainer`; those that it has no use for are left out.
    """

    def __init__(
        self, *, arithmetic: Arithmetic, action: Callable[[], None] | None = None, handlers: Any = None, **parts: Any
    ) -> None:
        self.action = action
        super().__init__(
            device=arithmetic.device,
            max_epochs=1,
            data_loader=[{}],
            epoch_length=1,
            decollate=False,
            handlers=handlers,
        )

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
        if self.action is not None:
            self.action()
        return [{"loss": torch.zeros(())}]
