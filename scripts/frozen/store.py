"""Rows of tensors by key, in memory-mapped files of one folder, within a budget of bytes."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from scripts.files import announce

MARGIN = 10  # files that must still fit before one is made
CHUNK = 32  # rows a file: a request that touches few images allocates little


class RowStore:
    """One row a key; a row holds one tensor of each given shape.

    What does not fit the budget is not stored. The rows are activations of patients' images: a file loses its name as
    soon as it is mapped, so its content is gone with the process, however that ends. Where the system does not allow
    that, the files stay in the folder, which lies in a run's `private/`, until the next run clears it.

    Args:
        folder: files of rows in it are of an interrupted run, and removed.
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
        self._full = False
        for path in self.folder.glob("rows*_*.bin"):
            with suppress(OSError):
                path.unlink()

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    @property
    def bytes(self) -> int:
        """Bytes allocated on disk."""
        return len(self._chunks) * CHUNK * self.row_bytes

    def put(self, key: str, tensors: Sequence[torch.Tensor]) -> None:
        """Store the row of a new key, unless the budget is used up."""
        row = len(self._rows)
        if row == len(self._chunks) * CHUNK and not self._grow():
            return
        for kept, tensor in zip(self._chunks[row // CHUNK], tensors, strict=True):
            kept[row % CHUNK].copy_(tensor)
        self._rows[key] = row

    def get(self, key: str) -> tuple[torch.Tensor, ...]:
        """The row of `key`, views of the mapped files.

        Raises:
            KeyError: a key that is not stored.
        """
        row = self._rows[key]
        return tuple(slot[row % CHUNK] for slot in self._chunks[row // CHUNK])

    def _grow(self) -> bool:
        """Room for `CHUNK` rows more; False where there is none."""
        if self._full or not self._allow(CHUNK * self.row_bytes):
            return False
        number = len(self._chunks)
        slots = []
        try:
            announce(self.folder / f"rows{number:05d}_0.bin")
            self.folder.mkdir(parents=True, exist_ok=True)
            # The run's own files come first: most of what is free stays free.
            if shutil.disk_usage(self.folder).free < MARGIN * CHUNK * self.row_bytes:
                raise OSError("too little is free")
            for slot, (shape, dtype) in enumerate(zip(self.shapes, self.dtypes, strict=True)):
                path = self.folder / f"rows{number:05d}_{slot}.bin"
                announce(path)
                size = CHUNK * math.prod(shape)
                _allocate(path, size * dtype.itemsize)
                slots.append(torch.from_file(str(path), shared=True, size=size, dtype=dtype).view(CHUNK, *shape))
                with suppress(PermissionError):
                    path.unlink()
        except OSError:
            # A full disk is no reason to stop: the rest is computed anew.
            self._full = True
            for path in self.folder.glob(f"rows{number:05d}_*.bin"):
                with suppress(PermissionError):
                    path.unlink(missing_ok=True)
            return False
        self._chunks.append(tuple(slots))
        return True


def _allocate(path: Path, size: int) -> None:
    """A file whose blocks exist: writing to a mapped hole on a full disk would kill the process."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, max(1, size))
        else:
            file.write(bytes(size))
