"""GA-l1 and GA-l1-FT of Erase to Enhance (arXiv 2405.15517): ascent on forget images, and small weights."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from scripts.methods.baseline import Baseline
from scripts.methods.method import Context


class GradientAscentL1(Baseline):
    """L = -L_supervised(forget) + l1_weight |theta|_1 + retain_weight L_supervised(retain).

    With `retain_weight: 0` GA-l1, which is published to destroy the network; with 1, the default, GA-l1-FT.
    """

    name = "ga_l1"
    own = ("l1_weight",)
    published = {"forget_objective": "negative", "l1_weight": 1e-5, "learning_rate": 1e-3}

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer

        weight = float(self.recipe.l1_weight or 0.0)

        class Trainer(ForgetTrainer):
            def _penalty(self, engine: Engine) -> torch.Tensor | float:
                return weight * sum(parameter.abs().sum() for parameter in self.student.trainable())

        return Trainer(**parts)
