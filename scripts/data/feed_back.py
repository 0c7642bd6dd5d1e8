"""Misclassified samples fed back: what the network had wrong comes once more in the next epoch (IMET)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from scripts import processes

WRONG = 0.5  # key metric of an image below which its answer counts as wrong


class FeedBack:
    """Images of the last epoch whose answer was wrong; they take the places of others in the next.

    An epoch keeps its length, so that learning rates and costs stay as they are.

    Args:
        share: of an epoch's places that may be taken, 0 to 1; 0 leaves epochs as they are.
        task: by whose key metric an answer is wrong.
    """

    def __init__(self, *, share: float, task: Any) -> None:
        self.share, self.task = float(share), task
        self._before: list[str] = []
        self._now: list[str] = []

    def observe(self, ids: Sequence[str], logits: torch.Tensor, label: torch.Tensor) -> None:
        """Note which images of a batch were wrong."""
        if not self.share:
            return
        with torch.no_grad():
            found = self.task.measure(logits.detach(), label, surface=False)[self.task.key_metric]
        own = [one for one, value in zip(ids, found.tolist(), strict=True) if not value >= WRONG]
        self._now += [one for part in processes.gathered(own) for one in part]

    def begin(self) -> None:
        """A new epoch: what was wrong in the last one is fed back in it."""
        self._before, self._now = sorted(set(self._now)), []

    def order(self, order: Sequence[int], positions: dict[str, int], *, seed: int) -> list[int]:
        """The order of an epoch with wrong images at its end, in place of others.

        Args:
            positions: image id -> its index.
        """
        again = [positions[one] for one in self._before if one in positions]
        count = min(len(again), int(self.share * len(order)))
        if not count:
            return list(order)
        generator = torch.Generator().manual_seed(seed)
        chosen = [again[place] for place in torch.randperm(len(again), generator=generator)[:count].tolist()]
        return [*order[: len(order) - count], *chosen]

    def state_dict(self) -> dict[str, Any]:
        return {"wrong": sorted(set(self._now))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._now = [str(one) for one in state["wrong"]]
