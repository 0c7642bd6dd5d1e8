"""Random labels on the forget set, true ones on the retain set (RL in SalUn's comparison, arXiv 2310.12508)."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine
from scripts.methods.baseline import Baseline
from scripts.methods.method import Context


class RandomLabelMethod(Baseline):
    """L = L(forget, drawn label) + L_supervised(retain); an image's label is drawn once."""

    name = "random_label"
    published = {"forget_objective": "random_label"}

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer

        trainer = ForgetTrainer(**parts)
        trainer.fixed_targets = True
        return trainer
