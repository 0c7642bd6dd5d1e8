"""Prepared images on the disk, each file noted by its run before it appears."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.utils.type_conversion import convert_to_tensor
from scripts.errors import InputError
from scripts.files import write_tensors

# torch raises whatever its zip and pickle readers meet in a damaged file.
DAMAGED = (UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError)


class PreparedImages(PersistentDataset):
    """MONAI's PersistentDataset whose files are written in one step inside `cache_dir`, and nowhere else.

    MONAI writes each prepared image to the system's temporary folder first, where a kill leaves it for others to read.

    Args:
        cache_dir: inside the private folder of the run; made when the first image is written.
        settings: as of PersistentDataset.
    """

    def __init__(self, data: Any, transform: Any, *, cache_dir: str | Path, **settings: Any) -> None:
        super().__init__(data, transform, cache_dir=None, **settings)
        self.cache_dir = Path(cache_dir)

    def _cachecheck(self, item_transformed: Any) -> Any:
        name = self.hash_func(item_transformed).decode("utf-8") + self.transform_hash
        path = self.cache_dir / f"{name}.pt"
        if path.is_file():
            try:
                return torch.load(path, weights_only=self.weights_only)
            except OSError as error:
                raise InputError(f"{path}: a prepared image cannot be read ({error.strerror})") from error
            except DAMAGED:
                pass  # it is written again
        item = self._pre_transform(deepcopy(item_transformed))
        # It can be prepared again: waiting for the disk after each image would cost more than it saves.
        write_tensors(path, convert_to_tensor(item, convert_numeric=False, track_meta=self.track_meta), durable=False)
        return item
