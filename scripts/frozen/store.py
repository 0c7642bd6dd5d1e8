"""Rows of tensors by key, in memory-mapped files of one folder, within a budget of bytes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

CHUNK = 32  # rows a file: a request that touches few images allocates little


class RowStore:
    """One row a key; a row holds one tensor of each given shape.

    What does not fit the budget is not stored. The rows are activations of patients' images: the folder lies in a
    run's `private/`, and `close` removes it.

    Args:
        folder: made empty; anything in it is of an interrupted run.
        shapes, dtypes: of the tensors of a row.
        allow: whether so many bytes more may be used.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        shapes: Sequence[tuple[int, ...]],
        dtypes: Sequence[torch.dtype],
        allow: Callable[[int], bool],
    ) -> None:
        self.folder = Path(folder)
        self.shapes, self.dtypes = tuple(shapes), tuple(dtypes)
        self._allow = allow
        self.row_bytes = sum(
            math.prod(shape) * dtype.itemsize for shape, dtype in zip(self.shapes, self.dtypes, strict=True)
        )
        self._rows: dict[str, int] = {}
        self._chunks: list[tuple[torch.Tensor, ...]] = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    @property
    def bytes(self) -> int:
        """Bytes allocated on disk."""
        return len(self._chunks) * CHUNK * self.row_bytes

    def put(self, key: str, tensors: Sequence[torch.Tensor]) -> bool:
        """Store a row; False where the budget is used up."""
        if key not in self._rows:
            row = len(self._rows)
            if row == len(self._chunks) * CHUNK and not self._grow():
                return False
            self._rows[key] = row
        row = self._rows[key]
        for kept, tensor in zip(self._chunks[row // CHUNK], tensors, strict=True):
            kept[row % CHUNK].copy_(tensor)
        return True

    def get(self, key: str) -> tuple[torch.Tensor, ...]:
        """The row of `key`, views of the mapped files.

        Raises:
            KeyError: a key that is not stored.
        """
        row = self._rows[key]
        return tuple(slot[row % CHUNK] for slot in self._chunks[row // CHUNK])

    def close(self) -> None:
        """Forget every row and remove the folder."""
        self._rows.clear()
        self._chunks.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _grow(self) -> bool:
        if not self._allow(CHUNK * self.row_bytes):
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(self._chunks)
        self._chunks.append(
            tuple(
                torch.from_file(
                    str(self.folder / f"rows{number:05d}_{slot}.bin"),
                    shared=True,
                    size=CHUNK * math.prod(shape),
                    dtype=dtype,
                ).view(CHUNK, *shape)
                for slot, (shape, dtype) in enumerate(zip(self.shapes, self.dtypes, strict=True))
            )
        )
        return True
