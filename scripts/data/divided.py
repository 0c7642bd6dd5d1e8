"""A batch divided among processes: each loads and computes its own part of the same batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Sampler

from scripts import processes


@dataclass(frozen=True)
class Part:
    """The images `start` to `stop` of a batch of `total`.

    Where a batch has fewer images than there are processes some parts are empty: such a process computes one image
    of the batch, so that all take the same steps, and its share of 0 makes it count for nothing.
    """

    start: int
    stop: int
    total: int

    @property
    def share(self) -> float:
        """The weight of a mean over the part in the mean over the batch."""
        return (self.stop - self.start) / self.total


WHOLE = Part(0, 1, 1)


def own_part(total: int) -> Part:
    """The part of this process: as even as whole images allow, in the order of the processes."""
    number, count = processes.rank(), processes.size()
    return Part(number * total // count, (number + 1) * total // count, total)


def part_of(batch: Mapping[str, Any]) -> Part:
    """Which part of its batch a process holds; the whole, where the loader does not divide."""
    return batch.get("part", WHOLE)


class DividedBatches(Sampler[list[int]]):
    """Batches of the indices of `order`; of each the part of this process."""

    def __init__(self, order: Sequence[int] | Sampler[int], *, batch_size: int, drop_last: bool = False) -> None:
        self.order, self.batch_size, self.drop_last = order, batch_size, drop_last

    def __len__(self) -> int:
        return len(self.totals())

    def totals(self) -> list[int]:
        """The size of each batch over all processes."""
        whole, rest = divmod(len(self.order), self.batch_size)  # type: ignore[arg-type]
        return [self.batch_size] * whole + ([rest] if rest and not self.drop_last else [])

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.order)
        for number, total in enumerate(self.totals()):
            batch = order[number * self.batch_size :][:total]
            part = own_part(total)
            yield batch[part.start : part.stop] or batch[:1]

    def mark(self, batches: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The loaded batches, each with its `part`."""
        for batch, total in zip(batches, self.totals(), strict=True):
            yield {**batch, "part": own_part(total)}
