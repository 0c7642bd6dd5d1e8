"""Training on the forget images again: a model that still holds them gets back sooner than one that never saw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scripts.attacks.finetuning import FineTuned
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.tasks import Task
from torch import nn

LOOKS, BATCH = 5, 8


class Relearning:
    """Supervised AdamW steps on the forget images; BatchNorm keeps its statistics; the same order for every model.

    Args:
        batches: of the forget images with labels, gone through again and again.
        steps: optimiser steps.
        every: steps between two looks.
    """

    def __init__(
        self, *, batches: Sequence[dict[str, Any]], task: str, arithmetic: Arithmetic, steps: int, every: int
    ) -> None:
        self.looks = list(range(0, int(steps) + 1, int(every)))
        self.tuned = FineTuned(batches=batches, task=task, arithmetic=arithmetic, steps=self.looks[-1])

    def __call__(self, network: nn.Module, score: Callable[[nn.Module], float]) -> list[float]:
        """The score before the first step and at each look."""
        return [score(changed) for changed in self.tuned.course(network, self.looks)]


def build_relearning(*, loaders: CohortLoaders, task: Task, arithmetic: Arithmetic, steps: int) -> Relearning | None:
    """With `LOOKS` looks; None for no steps.

    Raises:
        InputError: steps below 0, or not a multiple of the looks.
    """
    if int(steps) < 0 or int(steps) % LOOKS:
        raise InputError(f"relearning_steps: {steps} is not a multiple of {LOOKS} from 0")
    if not int(steps):
        return None
    batches = list(EpochLoader(loaders.patches(loaders.prepare(loaders.cohort.forget)), batch_size=BATCH))
    every = int(steps) // LOOKS
    return Relearning(batches=batches, task=task.name, arithmetic=arithmetic, steps=int(steps), every=every)
