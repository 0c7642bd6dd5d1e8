"""Cached datasets and a loader whose every draw depends on (seed, epoch) alone."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import CacheDataset, DataLoader
from monai.data import Dataset as PlainDataset
from monai.data.utils import pickle_hashing
from monai.transforms import Compose
from scripts.data.divided import DividedBatches
from scripts.data.feed_back import FeedBack
from scripts.data.prepared import PreparedImages
from scripts.data.source import Record, files_of
from scripts.errors import InputError, require_positive
from torch.utils.data import Dataset, Sampler

CACHES = ("memory", "disk", "none")
PROGRESS_FROM = 500  # images; below that the bar is gone before it is read


def derive_seed(*parts: int | str) -> int:
    """A 32-bit seed from `parts`, the same on every machine."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:4], "big")


class AugmentedDataset(Dataset):
    """A dataset of deterministic items and random transforms whose draws depend on (seed, epoch, index) alone.

    An item's `view` says in which form its image comes: "plain" without random transforms, a number where it is one of
    a few fixed draws, empty where it is drawn anew each time.

    Args:
        views: random draws an image; each time one of them is taken. 0 draws anew each time.
    """

    def __init__(self, base: Sequence[Any] | Dataset, random: Sequence[Callable] = (), *, views: int = 0) -> None:
        self.base = base
        self.views = int(views)
        self.random = Compose(list(random))
        self.seed, self.epoch = 0, 0

    def __len__(self) -> int:
        return len(self.base)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # once through: with indices past the end the sequence protocol would never stop
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, Any]:
        # an index past the end stands for the same image drawn again, with other random transforms
        item = self.base[index % len(self)]
        # a copy: what a batch does to its tensors must not reach the cache
        item = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in item.items()}
        item["view"] = "plain"
        if self.random.transforms:
            seed = derive_seed(self.seed, self.epoch, index)
            item["view"] = str(seed % self.views) if self.views else ""
            if self.views:
                seed = derive_seed(self.seed, "view", index % len(self), item["view"])
            self.random.set_random_state(seed=seed)
            item = self.random(item)
            if isinstance(item, list):  # several patches of one image: the seed says which
                item = item[seed % len(item)]
        return item


def file_hash(record: Record) -> bytes:
    """A cache key of the record and of its files' size and time, so that a changed file is read anew."""
    state: list[Any] = [json.dumps(record, sort_keys=True, default=str)]
    for key in ("image", "label"):
        for path in files_of(record.get(key)):
            if os.path.isfile(path):
                status = os.stat(path)
                state.append((status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(state).encode()).hexdigest().encode()


def make_dataset(
    data: Sequence[Record],
    transform: Compose,
    *,
    cache: str = "memory",
    cache_dir: str | Path | None = None,
    random: Sequence[Callable] = (),
    lazy: bool = False,
) -> AugmentedDataset:
    """A dataset of the records `data` after the deterministic `transform`, then the `random` transforms.

    Args:
        data: records, see `DataSource.records`.
        transform: see `preprocessing`.
        cache: "memory" (MONAI CacheDataset), "disk" (PreparedImages) or "none".
        cache_dir: where "disk" writes. The files hold patient data: nothing is written anywhere else.
        random: see `augmentation`.
        lazy: "memory" prepares an image when it is first asked for, not all of them at once.
    """
    items = list(data)
    if cache == "memory":
        shown = len(items) >= PROGRESS_FROM and sys.stderr.isatty()  # a log is no place for a bar
        base: Any = CacheDataset(items, transform, num_workers=2, progress=shown, runtime_cache=lazy)
    elif cache == "disk":
        if not cache_dir:
            raise InputError("cache: 'disk' needs a cache_dir, inside the private folder of the run")
        base = PreparedImages(items, transform, cache_dir=cache_dir, hash_func=file_hash, hash_transform=pickle_hashing)
    elif cache == "none":
        base = PlainDataset(items, transform)
    else:
        raise InputError(f"cache: '{cache}' is not one of {', '.join(CACHES)}")
    return AugmentedDataset(base, random)


class EpochSampler(Sampler[int]):
    """Indices of epoch e in an order that depends on (seed, e) alone."""

    def __init__(
        self,
        length: int,
        *,
        seed: int,
        shuffle: bool,
        feed_back: FeedBack | None = None,
        ids: Sequence[str] = (),
    ) -> None:
        self.length, self.seed, self.shuffle, self.epoch = length, seed, shuffle, 0
        self.feed_back, self.positions = feed_back, {own: place for place, own in enumerate(ids)}

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.length))
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch, "order"))
        order = torch.randperm(self.length, generator=generator).tolist()
        if self.feed_back is not None:
            order = self.feed_back.order(order, self.positions, seed=derive_seed(self.seed, self.epoch, "fed back"))
        return iter(order)


class EpochLoader(DataLoader):
    """MONAI's DataLoader in one process; call `set_epoch(e)` before epoch e.

    Order and augmentation of an epoch depend on (seed, epoch) alone, and iterating draws nothing from the global
    generators: a run resumed at the start of an epoch sees what the uninterrupted run saw.

    Args:
        divided: each of several processes takes its part of every batch; else all take the whole.
        without: indices that no batch holds; order, draws and number of batches are those of the whole dataset.
        least: images that each batch must hold, see `scripts.tasks.networks.least_batch`; a last batch of fewer joins
            the batch before.
        feed_back: gives images that were wrong the places of others; `ids` are the images' in the dataset's order.

    Raises:
        InputError: batch_size below 1 or below `least`; nothing is left, or fewer than `least`.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        divided: bool = False,
        without: Collection[int] = (),
        least: int = 1,
        feed_back: FeedBack | None = None,
        ids: Sequence[str] = (),
    ) -> None:
        require_positive(batch_size=batch_size, least=least)
        left = len(dataset) - len(set(without))  # type: ignore[arg-type]
        if left <= 0 < len(dataset):  # type: ignore[arg-type]
            raise InputError("training set: no image is left; allowed are requests that leave some")
        if min(batch_size, left) < least and len(dataset):  # type: ignore[arg-type]
            setting = f"batch_size: {batch_size}" if batch_size < least else f"training set: {left} images"
            raise InputError(f"{setting} where the network needs {least} images per batch at this image_size")
        self.feed_back = feed_back
        fed: dict[str, Any] = {"feed_back": feed_back, "ids": ids}
        sampler = EpochSampler(len(dataset), seed=seed, shuffle=shuffle, **fed)  # type: ignore[arg-type]
        own = divided or without or least > 1
        rules: dict[str, Any] = {"batch_size": batch_size, "drop_last": drop_last, "without": without, "least": least}
        self._batches = DividedBatches(sampler, **rules) if own else None
        plain: dict[str, Any] = {"batch_size": batch_size, "sampler": sampler, "drop_last": drop_last}
        # a generator of its own: DataLoader would otherwise draw a seed from the global one at each epoch
        super().__init__(
            dataset,
            num_workers=0,
            generator=torch.Generator().manual_seed(derive_seed(seed, "loader")),
            **({"batch_sampler": self._batches} if self._batches is not None else plain),
        )
        self._sampler, self._seed = sampler, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order and draws the next iteration takes."""
        self._sampler.epoch = epoch
        if self.feed_back is not None:
            self.feed_back.begin()
        self._choose_draws(epoch)

    def _choose_draws(self, epoch: int) -> None:
        if isinstance(self.dataset, AugmentedDataset):
            self.dataset.seed, self.dataset.epoch = self._seed, epoch

    def __iter__(self) -> Iterator[Any]:
        # two loaders may share a dataset: take it over again at each pass
        self._choose_draws(self._sampler.epoch)
        batches = super().__iter__()
        return batches if self._batches is None else self._batches.mark(batches)
