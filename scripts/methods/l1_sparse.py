"""L1-sparse unlearning (Jia et al., arXiv 2304.04934): fine-tuning that drives weights to zero."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from scripts.methods.baseline import RetainOnly
from scripts.methods.method import Context


class L1Sparse(RetainOnly):
    """L = L_supervised(retain) + l1_weight (1 - round / (rounds - 2)) |theta|_1, without the penalty in the last two.

    Published: weight 5e-4, ten passes at 1e-2.
    """

    name = "l1_sparse"
    own = ("l1_weight",)
    published = {"l1_weight": 5e-4}

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer

        weight, rounds = float(self.recipe.l1_weight or 0.0), self.recipe.max_rounds

        class Trainer(ForgetTrainer):
            def _penalty(self, engine: Engine) -> torch.Tensor | float:
                factor = weight * decay(engine.state.epoch, rounds=rounds)
                return factor * sum(parameter.abs().sum() for parameter in self.student.trainable()) if factor else 0.0

        return Trainer(**parts)


def decay(number: int, *, rounds: int) -> float:
    """Factor of the penalty in a round, from 1: it falls in a line and is 0 in the last two; 1 where there are few."""
    return max(0.0, 1 - (number - 1) / (rounds - FREE)) if rounds > FREE else 1.0


FREE = 2  # last rounds without a penalty
