"""A new head on frozen features, trained to the end: what the features still hold, whatever the old head hid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from scripts.attacks.finetuning import SEED
from scripts.engines.arithmetic import Arithmetic
from scripts.objectives.supervised import supervised_loss
from scripts.student.scope import head_name
from scripts.student.teacher import clone, freeze
from torch import nn

IMAGES = 16  # of which the features are kept
ITERATIONS = 30  # of L-BFGS, which has settled by then


class LinearProbe:
    """Supervised, full-batch L-BFGS on the head alone.

    Args:
        batches: of retain images with labels; the first `IMAGES` images are used.
    """

    def __init__(self, *, batches: Sequence[dict[str, Any]], task: str, arithmetic: Arithmetic) -> None:
        self.arithmetic, self.loss = arithmetic, supervised_loss(task)
        self.batches: list[dict[str, Any]] = []
        for batch in batches:
            if sum(len(kept["image"]) for kept in self.batches) < IMAGES:
                self.batches.append(batch)

    def __call__(self, network: nn.Module) -> nn.Module:
        changed = clone(network)
        batches = [self.arithmetic.move(batch) for batch in self.batches]
        head = changed.get_submodule(head_name(changed, batches[0]["image"][:1]))
        answers = self._answers(changed, head, batches)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            head.reset_parameters()  # type: ignore[operator]
        parameters = [parameter.requires_grad_(True) for parameter in head.parameters()]
        optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def closure() -> float:
            optimizer.zero_grad()
            total = 0.0
            for answer, batch in zip(answers, batches, strict=True):
                loss = self.loss(answer(), batch["label"]) / len(batches)
                loss.backward()
                total += float(loss.detach())
            return total

        optimizer.step(closure)
        return freeze(changed)

    @torch.no_grad()
    def _answers(
        self, network: nn.Module, head: nn.Module, batches: Sequence[dict[str, Any]]
    ) -> list[Callable[[], torch.Tensor]]:
        """For each batch what gives its logits: the head on stored features, or all where something comes after it."""
        seen: list[torch.Tensor] = []
        hook = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].float()))
        try:
            logits = [self.arithmetic.logits(network, batch["image"]) for batch in batches]
        finally:
            hook.remove()
        found: list[Callable[[], torch.Tensor]] = []
        for features, whole, batch in zip(seen, logits, batches, strict=True):
            short = head(features)
            if short.shape == whole.shape and torch.allclose(short, whole, rtol=0.05, atol=0.05):
                found.append(lambda features=features: head(features))  # type: ignore[misc]
            else:
                found.append(lambda batch=batch: self.arithmetic.logits(network, batch["image"]))  # type: ignore[misc]
        return found
