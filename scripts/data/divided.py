"""A batch divided among processes: each loads and computes its own part of the same batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts import processes
from torch.utils.data import Sampler


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
    """Batches of the indices of `order`; of each the part of this process.

    Args:
        without: indices that are taken out of the batches that would hold them. The other images of an epoch stay
            where they were, and the number of batches too: a batch that keeps fewer than `least` is filled with the
            epoch's first other images.
        least: images that a batch must hold; a last batch of fewer joins the batch before, with and without `without`.
    """

    def __init__(
        self,
        order: Sequence[int] | Sampler[int],
        *,
        batch_size: int,
        drop_last: bool = False,
        without: Collection[int] = (),
        least: int = 1,
    ) -> None:
        self.order, self.batch_size, self.drop_last = order, batch_size, drop_last
        self.without, self.least = frozenset(without), least

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.batch_size)  # type: ignore[arg-type]
        return whole + bool(rest and not self.drop_last and (rest >= self.least or not whole))

    def batches(self) -> list[list[int]]:
        """The batches over all processes."""
        order = list(self.order)
        kept = [index for index in order if index not in self.without]
        found = [order[number * self.batch_size :][: self.batch_size] for number in range(len(self))]
        used = len(self) * self.batch_size
        if found and not self.drop_last:
            found[-1] += order[used:]
        return [self._filled([index for index in batch if index not in self.without], kept) for batch in found]

    def _filled(self, batch: list[int], kept: list[int]) -> list[int]:
        missing = max(self.least, 1) - len(batch)
        return batch if missing <= 0 else batch + [index for index in kept if index not in batch][:missing]

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches():
            part = own_part(len(batch))
            yield batch[part.start : part.stop] or batch[:1]

    def mark(self, batches: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The loaded batches, each with its `part`."""
        for batch, whole in zip(batches, self.batches(), strict=True):
            yield {**batch, "part": own_part(len(whole))}
