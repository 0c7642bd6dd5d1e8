"""What is computed once an image: kept in a run's private folder, within one budget of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from scripts.errors import InputError
from scripts.frozen.heap import give_back
from scripts.frozen.store import RowStore

Tensors = tuple[torch.Tensor, ...]


class FrozenCache:
    """The stores of a run, by name; they share a folder and a budget.

    Args:
        folder: in the run's `private/`, for the store holds activations of patients' images.
        megabytes: on disk at most, over all stores; 0 stores nothing.

    Raises:
        InputError: that is no number from 0.
    """

    def __init__(self, *, folder: str | Path, megabytes: float) -> None:
        if isinstance(megabytes, bool) or not isinstance(megabytes, (int, float)) or not 0 <= megabytes < math.inf:
            raise InputError(f"frozen_budget: '{megabytes}' is not a number of megabytes; allowed are numbers from 0")
        self.folder, self.budget = Path(folder), round(megabytes * 1e6)
        self.stores: dict[str, Stored] = {}

    @property
    def bytes(self) -> int:
        """Bytes in use."""
        return sum(store.bytes for store in self.stores.values())

    def stored(self, name: str) -> Stored:
        """A store under a name of its own."""
        self.stores[name] = Stored(folder=self.folder / name, allow=lambda more: self.bytes + more <= self.budget)
        return self.stores[name]

    def report(self) -> dict[str, Any]:
        """What was computed and what was looked up, in images: for the record of a run; no id, no path."""
        counts = {
            name: {"computed": store.computed, "looked_up": store.looked_up} for name, store in self.stores.items()
        }
        return {"bytes": self.bytes, **counts}


BLOCK = 4  # images computed together at most
PIXELS = 2**17  # of them together: more takes no less time an image, and memory


def block_size(images: torch.Tensor) -> int:
    """How many of `images` (N, C, H, W[, D]) are computed together."""
    return max(1, min(BLOCK, PIXELS // math.prod(images.shape[2:])))


class Stored:
    """Tensors by key, computed where they are missing.

    They are computed in blocks of one size, the last one filled up with an image again. The last bits of an output
    depend on the batch's size: a run that is resumed with an empty store would go on from other values.
    """

    def __init__(self, *, folder: Path, allow: Callable[[int], bool]) -> None:
        self.folder, self._allow = folder, allow
        self._store: RowStore | None = None
        self.computed = 0
        self.looked_up = 0

    @property
    def bytes(self) -> int:
        """Bytes in use."""
        return self._store.bytes if self._store is not None else 0

    def rows(self, keys: Sequence[str], compute: Callable[[list[int]], Tensors], block: int = BLOCK) -> Tensors:
        """The tensors of each key, stacked: one (len(keys), ...) on the CPU for each tensor that `compute` gives.

        Args:
            keys: one an image; equal keys stand for equal images.
            compute: `block` positions in `keys` -> tensors (block, ...), on any device.
            block: always the same for images of one shape, see `block_size`.
        """
        fresh: dict[str, Tensors] = {}
        missing: dict[str, int] = {}
        for position, key in enumerate(keys):
            if key in missing or (self._store is not None and key in self._store):
                self.looked_up += 1
            else:
                missing[key] = position
        names = list(missing)
        for start in range(0, len(names), block):
            some = names[start : start + block]
            filled = [missing[key] for key in some] + [missing[some[-1]]] * (block - len(some))
            # Rows of one batch are stacked: those just computed and those from disk lie on the CPU.
            computed = [tensor.cpu() for tensor in compute(filled)]
            for row, key in enumerate(some):
                fresh[key] = tuple(tensor[row] for tensor in computed)
                self._keep(key, fresh[key])
        self.computed += len(names)
        if names:
            give_back()
        single = [fresh[key] if key in fresh else self._store.get(key) for key in keys]  # type: ignore[union-attr]
        return tuple(torch.stack(slot) for slot in zip(*single, strict=True))

    def _keep(self, key: str, tensors: Tensors) -> None:
        if self._store is None:
            self._store = RowStore(
                self.folder,
                shapes=[tuple(tensor.shape) for tensor in tensors],
                dtypes=[tensor.dtype for tensor in tensors],
                allow=self._allow,
            )
        self._store.put(key, tensors)
