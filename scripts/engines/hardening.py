"""Hardening by simulated relearning: what is forgotten must stay forgotten when somebody trains the student on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from scripts import processes
from scripts.data.divided import Part, part_of
from scripts.engines.arithmetic import Arithmetic
from scripts.objectives.supervised import supervised_loss
from scripts.student.frozen_norm import unfreeze_norms
from scripts.student.student import Student
from torch import nn

LEARNING_RATE = 1e-3  # of the attacker's AdamW: what a user who fine-tunes the model would take
BATCH = 8  # retain images per step of the attacker


class Hardening:
    """A copy of the student is trained on retain images, as an attacker would; the forget loss is taken on it too.

    The attacked weights are `s + a(s)`: the student's, moved by up to `steps` AdamW steps of supervised loss. The
    gradient of `weight * L_forget(s + a(s))` there is added to the student's own: first order, `a` held constant.
    Without it an adapter cancels the memory of the forget images and leaves it in place: 60 steps on other patients
    bring .45 of it back on the phantom, and none of it where all weights are trained and hardened (docs/RESULTS.md,
    Recovery).

    Args:
        student: what is trained.
        weight: factor on the forget loss of the attacked copy.
        steps: steps of the attacker, after which the copy is the student again; so it is when a round begins.
        task: whose supervised loss the attacker takes.
    """

    def __init__(self, *, student: Student, arithmetic: Arithmetic, weight: float, steps: int, task: str) -> None:
        self.student, self.arithmetic = student, arithmetic
        self.weight, self.steps = float(weight), int(steps)
        self.loss = supervised_loss(task)
        self._attacked: Student | None = None
        self._optimizer: torch.optim.Optimizer | None = None

    def add_gradients(
        self,
        *,
        forget: Mapping[str, Any],
        retain: Mapping[str, Any],
        step: int,
        forget_loss: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Let the attacker go one step, and add the gradients of the forget loss on its copy to the student's.

        Args:
            forget, retain: batches of the present step, on their device.
            step: of the round, from 0.
            forget_loss: of the logits of the forget images.

        Returns:
            The weighted forget loss on the attacked copy, a scalar without gradient.
        """
        if step % self.steps == 0 or self._attacked is None:
            self._begin()
        attacked, optimizer = self._attacked, self._optimizer
        assert attacked is not None and optimizer is not None
        self._attack(attacked, optimizer, retain)
        trained = attacked.trainable()
        loss = self.weight * part_of(forget).share * forget_loss(self._logits(attacked, forget))
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss, trained, allow_unused=True)
            for parameter, gradient in zip(self.student.trainable(), gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return loss.detach()

    def _begin(self) -> None:
        """The copy is the student as it stands, with every weight open to the attacker."""
        self._attacked = attacked = self.student.copied().eval()
        # The attacker trains the plain layers' own weights too.
        unfreeze_norms(attacked.network.inner)
        parameters: list[nn.Parameter] = [
            parameter.requires_grad_(True) for parameter in attacked.network.inner.parameters()
        ]
        for parameter in parameters:
            parameter.grad = None
        self._optimizer = torch.optim.AdamW(parameters, LEARNING_RATE)

    def _attack(self, attacked: Student, optimizer: torch.optim.Optimizer, retain: Mapping[str, Any]) -> None:
        optimizer.zero_grad(set_to_none=True)
        some, share = _first(retain, BATCH)
        loss = share * self.loss(self._logits(attacked, some), some["label"])
        loss.backward()
        processes.sum_gradients(list(attacked.network.inner.parameters()))
        optimizer.step()

    def _logits(self, attacked: Student, batch: Mapping[str, Any]) -> torch.Tensor:
        return self.arithmetic.logits(attacked.network, batch["image"])


def _first(batch: Mapping[str, Any], count: int) -> tuple[dict[str, Any], float]:
    """The first `count` images of the whole batch as far as this process holds them, and their share of those.

    A process that holds none of them computes one image, which counts for nothing.
    """
    held = len(batch["image"])
    part = part_of(batch) if "part" in batch else Part(0, held, held)
    own = max(0, min(count, part.stop) - part.start)
    kept = max(own, 1)
    return {name: batch[name][:kept] for name in ("image", "label")}, own / min(count, part.total)
