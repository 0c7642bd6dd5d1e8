"""What preparation will take, before it begins: by the time of a few training steps on this machine."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence

import torch
from torch import nn

from scripts.engines.arithmetic import Arithmetic
from scripts.pool.candidates import Candidate

TIMED = 3  # steps after the first one, which allocates
# Steps of training that one step of a method costs: forward passes of the teacher, and of what is hardened against.
FACTORS = {"adapter": 2.0, "all": 4.0, "fold_start": 4 / 3}


class Estimate:
    """Minutes of computing; reading and preparing images comes on top.

    Args:
        network: the architecture; it is copied.
        sample: an input of the usual size, (1, C, H, W[, D]); its values do not matter.
        batch: images per step of the teacher's training.
        images: of the training set.
        epochs: of the teacher's training.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        sample: torch.Tensor,
        arithmetic: Arithmetic,
        batch: int,
        images: int,
        epochs: int,
    ) -> None:
        self.network, self.sample, self.arithmetic = network, sample, arithmetic
        self.batch, self.steps = int(batch), int(epochs) * math.ceil(images / int(batch))
        self._step: float | None = None

    @property
    def step(self) -> float:
        """Seconds of one training step."""
        if self._step is None:
            self._step = self._timed()
        return self._step

    def trainings(self, count: int) -> float:
        """Minutes of `count` models trained as the teacher was."""
        return count * self.steps * self.step / 60

    def trials(self, candidates: Sequence[Candidate]) -> float:
        """Minutes of one trial of each candidate."""
        return sum(self._passes(one) for one in candidates) * self.step / 60

    def _passes(self, candidate: Candidate) -> float:
        own = candidate.settings
        kind = candidate.method if candidate.method in FACTORS else str(own.get("trainable"))
        steps = int(own.get("steps_per_round", 45)) * int(own.get("max_rounds", 4))
        images = int(own.get("retain_batch", self.batch)) + int(own.get("forget_batch", 0))
        return FACTORS.get(kind, 2.0) * steps * images / self.batch

    def _timed(self) -> float:
        network = self.arithmetic.place(copy.deepcopy(self.network)).train()
        for parameter in network.parameters():
            parameter.requires_grad_(True)
        images = self.sample.to(self.arithmetic.device).expand(self.batch, *self.sample.shape[1:]).contiguous()
        found = []
        for _ in range(1 + TIMED):
            start = time.perf_counter()
            network.zero_grad(set_to_none=True)
            loss = self.arithmetic.logits(network, images).square().mean()
            loss.backward()
            loss.item()  # waits for a GPU
            found.append(time.perf_counter() - start)
        return min(found[1:])
