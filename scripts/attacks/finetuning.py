"""A few steps of training on retain data alone: what was only covered comes back without seeing it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.objectives.supervised import supervised_loss
from scripts.student.scope import head_name
from scripts.student.teacher import clone, freeze
from torch import nn

LEARNING_RATE = 1e-3  # of AdamW, where nothing else is said
MOMENTUM = 0.9  # of SGD
OPTIMIZERS = ("adamw", "sgd")
SEED = 0  # the same draws for every model: what differs is the model


class FineTuned:
    """Supervised steps; BatchNorm keeps its statistics.

    Args:
        batches: with labels, gone through again and again in their order.
        steps: optimiser steps.
        head: only the head is trained, from new weights.
        learning_rate: constant.
        optimizer: adamw, or sgd with a momentum of 0.9.

    Raises:
        ValueError: an unknown optimiser.
    """

    def __init__(
        self,
        *,
        batches: Sequence[dict[str, Any]],
        task: str,
        arithmetic: Arithmetic,
        steps: int,
        head: bool = False,
        learning_rate: float = LEARNING_RATE,
        optimizer: str = "adamw",
    ) -> None:
        if optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer: '{optimizer}' is not one of {', '.join(OPTIMIZERS)}")
        self.batches, self.arithmetic, self.steps, self.head = list(batches), arithmetic, int(steps), bool(head)
        self.learning_rate, self.optimizer = float(learning_rate), optimizer
        self.loss = supervised_loss(task)

    def __call__(self, network: nn.Module) -> nn.Module:
        """The network after all steps."""
        (changed,) = self.course(network, [self.steps])
        return freeze(changed)

    def course(self, network: nn.Module, looks: Sequence[int]) -> Iterator[nn.Module]:
        """A copy in eval mode after each number of steps in `looks`, ascending; asking for the next trains it on."""
        changed = clone(network)
        trained: nn.Module = changed
        if self.head:
            sample = self.arithmetic.move(self.batches[0])["image"][:1]
            trained = changed.get_submodule(head_name(changed, sample))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(SEED)
                trained.reset_parameters()  # type: ignore[operator]
        optimizer = self._optimizer([parameter.requires_grad_(True) for parameter in trained.parameters()])
        done = 0
        for look in looks:
            for step in range(done, look):
                batch = self.arithmetic.move(self.batches[step % len(self.batches)])
                optimizer.zero_grad()
                self.loss(self.arithmetic.logits(changed, batch["image"]), batch["label"]).backward()
                optimizer.step()
            done = look
            yield changed

    def _optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, self.learning_rate, momentum=MOMENTUM)
        return torch.optim.AdamW(parameters, self.learning_rate)
