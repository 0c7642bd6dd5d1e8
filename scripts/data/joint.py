"""Batches of several cohorts side by side: what one joint forgetting step looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.data import DataLoader
from scripts.data.datasets import AugmentedDataset, derive_seed
from scripts.data.divided import DividedBatches
from scripts.data.hard_examples import HardExamples
from scripts.errors import require_positive
from torch.utils.data import Dataset


def chained_order(length: int, count: int, *, seed: int) -> list[int]:
    """`count` indices: one random permutation of `length` after another, so draws stay even.

    The n-th permutation counts on from n * length: the same image, but other random transforms.
    """
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    while len(order) < count:
        start = len(order)
        order += [start + index for index in torch.randperm(length, generator=generator).tolist()]
    return order[:count]


class JointLoader:
    """Rounds of `steps` batches, each a dict with one collated batch per cohort; of several processes each takes
    its part of it.

    Fresh random draws in every round touch only the images drawn: the cost of a request does not
    grow with the training set. A round depends on (seed, round) alone, and on the weights of `hard` at its start.

    Args:
        datasets: cohort name -> dataset; an empty one is left out.
        batch_sizes: cohort name -> images a step.
        steps: batches a round.
        hard: draws a share of the images by weight; None draws all in even turns.
    """

    def __init__(
        self,
        datasets: Mapping[str, Dataset],
        *,
        batch_sizes: Mapping[str, int],
        steps: int,
        seed: int,
        hard: HardExamples | None = None,
    ) -> None:
        require_positive(steps=steps)
        self.hard = hard
        self.datasets = {name: data for name, data in datasets.items() if len(data) and batch_sizes[name]}  # type: ignore[arg-type]
        self.batch_sizes = dict(batch_sizes)
        self.steps, self.seed, self.epoch = steps, seed, 0

    def __len__(self) -> int:
        return self.steps

    def set_epoch(self, epoch: int) -> None:
        """Choose the round whose draws the next iteration takes."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[dict[str, dict[str, Any]]]:
        streams = {name: self._stream(name) for name in self.datasets}
        for _ in range(self.steps):
            yield {name: next(stream) for name, stream in streams.items()}

    def _stream(self, name: str) -> Iterator[dict[str, Any]]:
        dataset = self.datasets[name]
        size = min(self.batch_sizes[name], len(dataset))  # type: ignore[arg-type]
        seed = derive_seed(self.seed, self.epoch, name)
        if isinstance(dataset, AugmentedDataset):
            dataset.seed, dataset.epoch = derive_seed(self.seed, name), self.epoch
        order = self._order(name, len(dataset), size, seed=seed)  # type: ignore[arg-type]
        # A generator of its own: DataLoader would otherwise draw from the global one.
        own = torch.Generator().manual_seed(seed)
        batches = DividedBatches(order, batch_size=size)
        return batches.mark(DataLoader(dataset, batch_sampler=batches, num_workers=0, generator=own))

    def _order(self, name: str, length: int, size: int, *, seed: int) -> Sequence[int]:
        by_weight = self.hard.count(name, size) if self.hard is not None else 0
        even = chained_order(length, (size - by_weight) * self.steps, seed=seed)
        if self.hard is None or not by_weight:
            return even
        generator = torch.Generator().manual_seed(derive_seed(seed, "hard"))
        drawn = self.hard.draw(name, by_weight * self.steps, generator=generator)
        # Beyond every index of the even draws: the same image, but other random transforms.
        first = len(even) // length + 1
        drawn = [(first + nth) * length + index for nth, index in enumerate(drawn)]
        order: list[int] = []
        for step in range(self.steps):
            order += even[step * (size - by_weight) : (step + 1) * (size - by_weight)]
            order += drawn[step * by_weight : (step + 1) * by_weight]
        return order


class SingleLoader:
    """One cohort of a joint loader, as plain batches."""

    def __init__(self, *, joint: JointLoader, name: str) -> None:
        require_positive(batch=joint.batch_sizes[name])
        self.joint, self.name = joint, name

    def __len__(self) -> int:
        return len(self.joint)

    def set_epoch(self, epoch: int) -> None:
        """Choose the round whose draws the next iteration takes."""
        self.joint.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.joint:
            yield batch[self.name]
