"""Oracle Matching (Georgiev et al., arXiv 2410.23232): fine-tuning to what a model says that never saw the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.alternating import AlternatingLoader
from scripts.data.joint import JointLoader
from scripts.methods.baseline import Baseline
from scripts.methods.fold_start import clean_fold, member_problem
from scripts.methods.method import Context
from torch import nn
from torch.nn import functional

SHARE = 3  # retain images for each forget image


class OracleMatching(Baseline):
    """L = mean((z - z_oracle)^2) over forget images and three times as many retain images, drawn anew in each pass.

    The oracle is the member of the pool that never saw the patients, with its logits as they are. Published: batches of
    512, five passes over the forget set, Adam at 5e-4.
    """

    name = "oracle_matching"
    needs = ("pool",)
    own_target = True
    idle = ("retain_batch", "guard_batch", "hard_share", "steps_per_round", "retain_objective", "supervised_weight")
    published = {
        "forget_objective": "matching",
        "optimizer": "adam",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "learning_rate": 5e-4,
        "forget_batch": 128,
        "retain_weight": float(SHARE),
        "max_rounds": 5,
        "min_rounds": 5,
    }

    def check(self, cohort: Cohort) -> None:
        clean_fold(cohort, method=self.name)

    def problem(self, cohort: Cohort, pool: Path) -> str:
        return member_problem(cohort, pool)

    def target(self, context: Context) -> Oracle:
        return Oracle(context, method=self.name)

    def batches(self, loaders: CohortLoaders, forget: Sequence[Record]) -> JointLoader | AlternatingLoader:
        loaders.look_at(forget)
        size = min(self.recipe.forget_batch, len(forget))
        steps = math.ceil(len(forget) / size)
        return loaders.joint(forget=size, retain=SHARE * size, guard=0, steps=steps)

    def engine(self, *, context: Context, **parts: Any) -> Engine:
        from scripts.engines.forget import ForgetTrainer

        oracle = Oracle(context, method=self.name)

        class Trainer(ForgetTrainer):
            def _keep(
                self, name: str, part: dict[str, Any], logits: torch.Tensor, taught: torch.Tensor
            ) -> torch.Tensor:
                return self.retain_weight * functional.mse_loss(logits.float(), oracle.logits(part).float())

        return Trainer(**parts)


class Oracle:
    """The member of the pool that never saw the patients."""

    def __init__(self, context: Context, *, method: str) -> None:
        self.context, self.method = context, method

    @cached_property
    def network(self) -> nn.Module:
        """The member, loaded when it is first asked."""
        return self.context.member(clean_fold(self.context.cohort, method=self.method))

    @torch.no_grad()
    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """(N, C, ...), not calibrated."""
        return self.context.arithmetic.logits(self.network, batch["image"])
