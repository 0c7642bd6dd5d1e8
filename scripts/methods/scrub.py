"""SCRUB (Kurmanji et al., arXiv 2302.09880): away from the teacher on forget images, back to it on retain images."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from scripts.methods.baseline import Baseline
from scripts.methods.method import Context


class Scrub(Baseline):
    """Max pass: -D(z, z_T) on forget. Min pass: .99 L_supervised + .001 D(z, z_T) on retain; D at T = 4.

    A round is a max pass, in the first `ascent_rounds` of them, and a min pass. Rates and weights as in the authors'
    notebook.
    """

    name = "scrub"
    own = ("ascent_rounds",)
    idle = ("guard_batch", "hard_share", "hardening_weight", "hardening_steps", "steps_per_round")
    objective_settings = {"temperature": 4.0, "distillation_weight": 0.001, "closeness": 0.0}
    published = {
        "forget_objective": "contradiction",
        "retain_objective": "supervised_distillation",
        "supervised_weight": 0.99,
        "learning_rate": 5e-4,
        "forget_batch": 32,
        "retain_batch": 128,
        "max_rounds": 3,
        "min_rounds": 3,
        "ascent_rounds": 2,
    }

    @property
    def passes(self) -> tuple[str, ...]:
        """Max, then min."""
        return ("forget", "retain")

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer

        last = self.recipe.ascent_rounds
        assert last is not None

        class Trainer(ForgetTrainer):
            def _iteration(self, engine: Engine, batchdata: dict[str, dict[str, Any]]) -> list[dict[str, torch.Tensor]]:
                if "forget" in batchdata and engine.state.epoch > last:
                    return [{"loss": torch.zeros(())}]
                return super()._iteration(engine, batchdata)

        return Trainer(**parts)
