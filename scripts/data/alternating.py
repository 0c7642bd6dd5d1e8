"""One whole pass over retain, then one over forget: the order of the released schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.data.datasets import EpochLoader
from torch.utils.data import Dataset


class AlternatingLoader:
    """Rounds of one shuffled pass per cohort, in the given order; each batch is `{cohort: batch}`, or a process's part.

    Args:
        datasets: cohort name -> dataset, in the order of the passes; an empty one is left out.
        batch_sizes: cohort name -> images a step.
    """

    hard = None  # every image once a round

    def __init__(self, datasets: Mapping[str, Dataset], *, batch_sizes: Mapping[str, int], seed: int) -> None:
        self.loaders = {
            name: EpochLoader(data, batch_size=batch_sizes[name], seed=seed, shuffle=True, divided=True)
            for name, data in datasets.items()
            if len(data)  # type: ignore[arg-type]
        }

    def __len__(self) -> int:
        return sum(len(loader) for loader in self.loaders.values())

    def set_epoch(self, epoch: int) -> None:
        """Choose the round whose draws the next iteration takes."""
        for loader in self.loaders.values():
            loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, dict[str, Any]]]:
        for name, loader in self.loaders.items():
            for batch in loader:
                yield {name: batch}
