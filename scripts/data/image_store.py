"""Prepared images, which no request changes, kept beside the fold teachers: pixels by the digest of their source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Compose, Transform
from scripts.data.prepared import DAMAGED
from scripts.data.source import Record
from scripts.files import write_tensors

PRIVATE = "private"  # no one but the owner reads what lies below a folder of this name
MEGABYTE = 10**6


@dataclass(frozen=True)
class Filled:
    """What a store holds: images, megabytes, and images for which there was no room."""

    images: int
    megabytes: float
    left_out: int


class ImageStore:
    """One file an image, named by its content alone; it holds tensors, and neither id nor path.

    Args:
        folder: of the fold teachers; the images lie in `private/images/<key>` below it.
        key: digest of how images are read and prepared; images of another key are of no use and are removed.
        digest: of a record's content.
    """

    def __init__(self, folder: str | Path, *, key: str, digest: Callable[[Record], str]) -> None:
        self.private = Path(folder) / PRIVATE
        self.folder = self.private / "images" / key
        self.digest = digest

    def get(self, record: Record) -> dict[str, torch.Tensor] | None:
        """The tensors of a record; None where they are not there, or damaged."""
        if not self.folder.is_dir():
            return None
        try:
            found = torch.load(self._path(record), weights_only=True)
        except (OSError, *DAMAGED):
            return None
        sound = isinstance(found, dict) and all(isinstance(value, torch.Tensor) for value in found.values())
        return found if sound and "image" in found else None

    def fill(self, records: Iterable[Record], transform: Callable[[Record], Any], *, megabytes: float) -> Filled:
        """Prepare what is missing, in the order of the records, and remove what belongs to none of them.

        Args:
            megabytes: room; nothing is added once it is used up.
        """
        kept: set[str] = set()
        size = left_out = 0
        for record in records:
            path = self._path(record)
            if path.name in kept:
                continue
            if size >= megabytes * MEGABYTE:
                left_out += 1
                continue
            if not path.is_file():
                self._write(path, transform(record))
            size += path.stat().st_size
            kept.add(path.name)
        self._remove_others(kept)
        return Filled(len(kept), size / MEGABYTE, left_out)

    def _write(self, path: Path, item: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.private, 0o700)
        tensors = {name: value for name, value in dict(item).items() if isinstance(value, torch.Tensor)}
        write_tensors(path, tensors, durable=False)

    def _remove_others(self, kept: set[str]) -> None:
        images = self.folder.parent
        for folder in images.iterdir() if images.is_dir() else ():
            if folder != self.folder or not kept:
                shutil.rmtree(folder)
        for path in self.folder.iterdir() if kept else ():
            if path.name not in kept:
                path.unlink()

    def _path(self, record: Record) -> Path:
        return self.folder / f"{self.digest(record)}.pt"


class StoredOr(Transform):
    """A record's tensors out of a store, and by `transform` where they are not in it."""

    def __init__(self, store: ImageStore, transform: Compose) -> None:
        self.store, self.transform = store, transform

    def __call__(self, data: Record) -> Any:
        tensors = self.store.get(data)
        if tensors is None:
            return self.transform(data)
        return {**{name: data[name] for name in ("image_id", "patient_id")}, **tensors}
