"""ReGUn (arXiv 2603.11210): a forget image is answered as held-out images of its class are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from scripts.errors import InputError
from scripts.methods.baseline import Baseline
from scripts.methods.method import Context


class ReGUn(Baseline):
    """L = KL(mean of p_T over held-out images of the class || p) on forget + L_supervised on retain.

    The held-out images are those of the selection set; no fold teacher is needed.
    """

    name = "regun"
    only_classes = True
    own_target = True
    published = {"forget_objective": "imitation"}

    def target(self, context: Context) -> ClassMeans:
        return ClassMeans(context)


class ClassMeans:
    """Logarithm of the teacher's mean probabilities on the selection set, by true class."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @cached_property
    @torch.no_grad()
    def means(self) -> dict[int, torch.Tensor]:
        """Class -> (C,) probabilities."""
        context = self.context
        sums: dict[int, torch.Tensor] = {}
        counts: dict[int, int] = {}
        for batch in context.loaders.evaluation("selection"):
            moved = context.arithmetic.move(batch)
            found = context.task.activate(context.arithmetic.logits(context.teacher, moved["image"]).float())
            for label, own in zip(moved["label"].flatten().tolist(), found, strict=True):
                sums[label] = sums.get(label, torch.zeros_like(own)) + own
                counts[label] = counts.get(label, 0) + 1
        return {label: total / counts[label] for label, total in sums.items()}

    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """(N, C).

        Raises:
            InputError: no selection image is of a class that is to be forgotten.
        """
        labels = batch["label"].flatten().tolist()
        if missing := sorted(set(labels) - set(self.means)):
            raise InputError(f"method: 'regun' needs a selection image of class {missing[0]}, and there is none")
        return torch.stack([self.means[label] for label in labels]).clamp_min(1e-12).log()
