"""What preparation will take, before it begins: by the time of a few training steps on this machine."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.hardening import BATCH
from scripts.methods.method import Method
from scripts.pool.candidates import Candidate
from torch import nn

TIMED = 3  # steps after the first one, which allocates
ASKED = 1 / 3  # cost of an image that a model is only asked for, in images that it is trained on


class Estimate:
    """Minutes of computing; reading and preparing images comes on top.

    Args:
        network: the architecture; it is copied.
        sample: an input of the usual size, (1, C, H, W[, D]); its values do not matter.
        batch: images per step of the teacher's training.
        images: of the training set.
        epochs: of the teacher's training.
        method_of: candidate -> the method with its recipe.
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
        method_of: Callable[[Candidate], Method],
    ) -> None:
        self.network, self.sample, self.arithmetic = network, sample, arithmetic
        self.method_of = method_of
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
        images = sum(trained_images(self.method_of(one)) for one in candidates)
        return images / self.batch * self.step / 60

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


def trained_images(method: Method) -> float:
    """Images that a method trains on for patients of one fold; what teacher and fold teacher are asked is added."""
    recipe = method.recipe
    forget = recipe.forget_batch if method.opens_patients else 0
    images = forget + recipe.retain_batch + recipe.guard_batch
    each = images * (1 + ASKED) + forget * ASKED
    if forget and recipe.hardening_weight:
        each += min(BATCH, recipe.retain_batch) + forget
    return recipe.steps_per_round * recipe.max_rounds * each
