"""Bad Teacher (Chundawat et al., arXiv 2205.08096): a network that knows nothing teaches the forget set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from scripts.methods.baseline import Baseline
from scripts.methods.method import Context
from scripts.student.initial import reinitialised
from scripts.student.teacher import clone
from torch import nn


class BadTeacher(Baseline):
    """L = D(z, z_bad) on forget + D(z, z_T) on retain at T = 1; z_bad of the same network before any training.

    One pass of Adam at 1e-4, as published.
    """

    name = "bad_teacher"
    own_target = True
    objective_settings = {"temperature": 1.0}
    published = {
        "forget_objective": "imitation",
        "retain_objective": "distillation",
        "optimizer": "adam",
        "momentum": 0.0,
        "weight_decay": 0.0,
        "learning_rate": 1e-4,
        "max_rounds": 1,
        "min_rounds": 1,
    }

    def target(self, context: Context) -> Untrained:
        return Untrained(reinitialised(clone(context.teacher), seed=context.seed), context)


class Untrained:
    """What a network says before any training."""

    def __init__(self, network: nn.Module, context: Context) -> None:
        self.network, self.arithmetic = network, context.arithmetic

    @torch.no_grad()
    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """(N, C, ...)."""
        return self.arithmetic.logits(self.network, batch["image"])
