"""A few steps of training on retain data alone: what was only covered comes back without seeing it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from scripts.engines.arithmetic import Arithmetic
from scripts.objectives.supervised import supervised_loss
from scripts.student.scope import head_name
from scripts.student.teacher import clone, freeze

LEARNING_RATE = 1e-3  # AdamW
SEED = 0  # the same draws for every model: what differs is the model


class FineTuned:
    """Supervised steps; BatchNorm keeps its statistics.

    Args:
        batches: of retain images with labels, gone through again and again.
        steps: optimiser steps.
        head: only the head is trained, from new weights.
    """

    def __init__(
        self, *, batches: Sequence[dict[str, Any]], task: str, arithmetic: Arithmetic, steps: int, head: bool = False
    ) -> None:
        self.batches, self.arithmetic, self.steps, self.head = list(batches), arithmetic, int(steps), bool(head)
        self.loss = supervised_loss(task)

    def __call__(self, network: nn.Module) -> nn.Module:
        changed = clone(network)
        trained: nn.Module = changed
        if self.head:
            sample = self.arithmetic.move(self.batches[0])["image"][:1]
            trained = changed.get_submodule(head_name(changed, sample))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(SEED)
                trained.reset_parameters()  # type: ignore[operator]
        parameters = [parameter.requires_grad_(True) for parameter in trained.parameters()]
        optimizer = torch.optim.AdamW(parameters, LEARNING_RATE)
        for step in range(self.steps):
            batch = self.arithmetic.move(self.batches[step % len(self.batches)])
            optimizer.zero_grad()
            self.loss(self.arithmetic.logits(changed, batch["image"]), batch["label"]).backward()
            optimizer.step()
        return freeze(changed)
