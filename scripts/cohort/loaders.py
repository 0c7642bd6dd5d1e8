"""A cohort's sets as loaders: plain for evaluation, mixed for forgetting; each image is prepared once.

What is evaluated is prepared at once. What forgetting and restoring draw from, retain and guard, is prepared image by
image when it is first drawn, and may be a part of the set: see `retain_subset`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from monai.transforms import Compose
from scripts.cohort.cohort import Cohort, Record, image_ids, units
from scripts.cohort.retain_subset import checked_choice, resolved_images, retain_subset
from scripts.data.alternating import AlternatingLoader
from scripts.data.datasets import AugmentedDataset, EpochLoader, make_dataset
from scripts.data.hard_examples import HardExamples
from scripts.data.joint import JointLoader
from scripts.errors import InputError
from torch.utils.data import Subset

DRAWN = ("retain", "guard")


class CohortLoaders:
    """Loaders over the sets of a cohort.

    Args:
        cohort: the sets.
        transform: deterministic preprocessing, cached.
        crops: of the training loaders: random patches of an image, where a network is trained on patches.
        augment: random transforms of the training loaders, of images or of their patches.
        batch_size: of evaluation.
        cache, cache_dir: see `make_dataset`.
        seed: of order and augmentation.
        views: random draws an image; 0 draws anew each time.
        retain_images: images of each set of `DRAWN` to draw from; "all" or None for all.
        retain_choice: which of them, see `retain_subset`.
        prepared: sets that were prepared alike before, by name; those that this object prepares join them.

    Raises:
        InputError: `views` is below 0; `retain_images` or `retain_choice` is not allowed.
    """

    def __init__(
        self,
        *,
        cohort: Cohort,
        transform: Compose,
        crops: Sequence[Callable] = (),
        augment: Sequence[Callable] = (),
        batch_size: int = 16,
        cache: str = "memory",
        cache_dir: str | Path | None = None,
        seed: int = 0,
        views: int = 0,
        retain_images: int | str | None = None,
        retain_choice: str = "random",
        prepared: dict[str, AugmentedDataset] | None = None,
    ) -> None:
        if int(views) < 0:
            raise InputError(f"cached_views: {views} is not a number of views; allowed are whole numbers from 0")
        self.cohort = cohort
        self.transform = transform
        self.crops, self.augment = tuple(crops), tuple(augment)
        self.batch_size = int(batch_size)
        self.cache, self.cache_dir = cache, cache_dir
        self.seed, self.views = int(seed), int(views)
        self.retain_images = resolved_images(retain_images)
        self.retain_choice = checked_choice(retain_choice)
        self._prepared: dict[str, AugmentedDataset] = {} if prepared is None else prepared
        self._lazy: dict[str, AugmentedDataset] = {}
        self._looked_at: tuple[Record, ...] | None = None
        self._drawn: dict[str, tuple[Record, ...]] = {}
        self._choosing: dict[str, dict[str, float]] = {}

    def dataset(self, name: str) -> AugmentedDataset:
        """The set `name` without augmentation."""
        if name not in self._prepared:
            self._prepared[name] = self.prepare(self.cohort.named(name))
        return self._prepared[name]

    def prepare(self, records: Sequence[Record], *, lazy: bool = False) -> AugmentedDataset:
        """Any records with the same preprocessing."""
        return make_dataset(records, self.transform, cache=self.cache, cache_dir=self.cache_dir, lazy=lazy)

    def evaluation(self, name: str) -> EpochLoader:
        """The set `name` in its order, without augmentation."""
        return EpochLoader(self.dataset(name), batch_size=self.batch_size)

    def part(self, name: str, positions: Sequence[int]) -> AugmentedDataset:
        """Images of the set at these positions, as they were prepared for the whole set."""
        return AugmentedDataset(Subset(self.dataset(name).base, list(positions)))  # type: ignore[arg-type]

    def patches(self, dataset: AugmentedDataset) -> AugmentedDataset:
        """The images of a dataset as training takes them: of each one fixed patch, or the whole."""
        return AugmentedDataset(dataset.base, self.crops, views=1) if self.crops else dataset

    def as_trained(self, records: Sequence[Record], *, batch_size: int) -> EpochLoader:
        """Records in their order as training takes them, without random transforms: whole, or of each a fixed patch."""
        return EpochLoader(self.patches(self.prepare(records, lazy=True)), batch_size=batch_size)

    def sample(self, name: str) -> torch.Tensor:
        """One prepared image of the set, or its patch, as a batch of one."""
        return self.patches(self.dataset(name))[0]["image"][None]

    def drawn(self, name: str) -> tuple[Record, ...]:
        """The records of the set `name` that a request draws from."""
        if name not in DRAWN:
            return self.cohort.named(name)
        if name not in self._drawn:
            look, start = _Counted(self.transform), time.perf_counter()
            self._drawn[name] = retain_subset(
                self.cohort, images=self.retain_images, choice=self.retain_choice, seed=self.seed, look=look, name=name
            )
            self._choosing[name] = {"looked_at": look.count, "choosing_seconds": round(time.perf_counter() - start, 3)}
        return self._drawn[name]

    def report(self) -> dict[str, dict[str, float]]:
        """By set: images and patients drawn from, images there are, images looked at in choosing and its time. No id.

        The choice is made before the first step, and so before a phase is timed.
        """
        return {
            name: {
                "images": len(records),
                "patients": len(units(records)),
                "available": len(self.cohort.named(name)),
                **self._choosing[name],
            }
            for name, records in self._drawn.items()
        }

    def training(self, names: Sequence[str]) -> dict[str, AugmentedDataset]:
        """The sets `names`, or what is drawn of them, with augmentation."""
        prepared = {name: self._to_draw(name) if name in DRAWN else self._forget() for name in names}
        random = (*self.crops, *self.augment)
        return {name: AugmentedDataset(data.base, random, views=self.views) for name, data in prepared.items()}

    def _forget(self) -> AugmentedDataset:
        """The forget set, or the part of it that a method looks at."""
        if self._looked_at is None or len(self._looked_at) == len(self.cohort.forget):
            return self.dataset("forget")
        return self.prepare(self._looked_at)

    def _to_draw(self, name: str) -> AugmentedDataset:
        if name not in self._lazy:
            self._lazy[name] = self.prepare(self.drawn(name), lazy=True)
        return self._lazy[name]

    def joint(self, *, forget: int, retain: int, guard: int, steps: int, hard_share: float = 0.0) -> JointLoader:
        """Steps of `forget` + `retain` + `guard` images each; `hard_share` of the last two by weight.

        Args:
            steps: of a round; 0: as many as a pass over the retain images takes.
        """
        sizes = {"forget": forget, "retain": retain, "guard": guard}
        steps = steps or max(1, math.ceil(len(self.drawn("retain")) / retain))
        names = [name for name, size in sizes.items() if size and self.cohort.named(name)]
        kept = {name: image_ids(self.drawn(name)) for name in names if name != "forget"}
        hard = HardExamples(ids=kept, share=hard_share) if hard_share else None
        return JointLoader(self.training(names), batch_sizes=sizes, steps=steps, seed=self.seed, hard=hard)

    def alternating(self, passes: Sequence[str], *, forget: int, retain: int) -> AlternatingLoader:
        """A pass over each of the sets `passes`, in their order."""
        data = self.training(passes)
        return AlternatingLoader(data, batch_sizes={"retain": retain, "forget": forget}, seed=self.seed)

    def look_at(self, forget: Sequence[Record]) -> None:
        """Draw from these forget records and open no other one."""
        self._looked_at = tuple(forget)


class _Counted:
    """A function of one record, and how often it was called."""

    def __init__(self, function: Callable[[Record], Record]) -> None:
        self.function, self.count = function, 0

    def __call__(self, record: Record) -> Record:
        self.count += 1
        return self.function(record)
