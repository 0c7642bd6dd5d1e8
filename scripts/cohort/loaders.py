"""A cohort's sets as loaders: plain for evaluation, mixed for forgetting; each image is prepared once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Compose

from scripts.cohort.cohort import Cohort, Record, image_ids
from scripts.data.alternating import AlternatingLoader
from scripts.data.datasets import AugmentedDataset, EpochLoader, make_dataset
from scripts.data.hard_examples import HardExamples
from scripts.data.joint import JointLoader
from scripts.errors import InputError


class CohortLoaders:
    """Loaders over the sets of a cohort.

    Args:
        cohort: the sets.
        transform: deterministic preprocessing, cached.
        augment: random transforms of the training loaders.
        batch_size: of evaluation.
        cache, cache_dir: see `make_dataset`.
        seed: of order and augmentation.
        views: random draws an image; 0 draws anew each time.

    Raises:
        InputError: `views` is below 0.
    """

    def __init__(
        self,
        *,
        cohort: Cohort,
        transform: Compose,
        augment: Sequence[Callable] = (),
        batch_size: int = 16,
        cache: str = "memory",
        cache_dir: str | Path | None = None,
        seed: int = 0,
        views: int = 0,
    ) -> None:
        if int(views) < 0:
            raise InputError(f"cached_views: {views} is not a number of views; allowed are whole numbers from 0")
        self.cohort = cohort
        self.transform = transform
        self.augment = tuple(augment)
        self.batch_size = int(batch_size)
        self.cache, self.cache_dir = cache, cache_dir
        self.seed, self.views = int(seed), int(views)
        self._prepared: dict[str, AugmentedDataset] = {}

    def dataset(self, name: str) -> AugmentedDataset:
        """The set `name` without augmentation."""
        if name not in self._prepared:
            self._prepared[name] = self.prepare(self.cohort.named(name))
        return self._prepared[name]

    def prepare(self, records: Sequence[Record]) -> AugmentedDataset:
        """Any records with the same preprocessing."""
        return make_dataset(records, self.transform, cache=self.cache, cache_dir=self.cache_dir)

    def evaluation(self, name: str) -> EpochLoader:
        """The set `name` in its order, without augmentation."""
        return EpochLoader(self.dataset(name), batch_size=self.batch_size)

    def sample(self, name: str) -> torch.Tensor:
        """One prepared image of the set, as a batch of one."""
        return self.dataset(name)[0]["image"][None]

    def training(self, names: Sequence[str]) -> dict[str, AugmentedDataset]:
        """The sets `names` with augmentation, on the same prepared images."""
        return {name: AugmentedDataset(self.dataset(name).base, self.augment, views=self.views) for name in names}

    def joint(self, *, forget: int, retain: int, guard: int, steps: int, hard_share: float = 0.0) -> JointLoader:
        """Steps of `forget` + `retain` + `guard` images each; `hard_share` of the last two by weight."""
        sizes = {"forget": forget, "retain": retain, "guard": guard}
        names = [name for name, size in sizes.items() if size and self.cohort.named(name)]
        kept = {name: image_ids(self.cohort.named(name)) for name in names if name != "forget"}
        hard = HardExamples(ids=kept, share=hard_share) if hard_share else None
        return JointLoader(self.training(names), batch_sizes=sizes, steps=steps, seed=self.seed, hard=hard)

    def alternating(self, *, forget: int, retain: int) -> AlternatingLoader:
        """A pass over retain, then a pass over forget."""
        data = self.training(["retain", "forget"])
        return AlternatingLoader(data, batch_sizes={"retain": retain, "forget": forget}, seed=self.seed)

    def for_recipe(self, recipe: Any) -> JointLoader | AlternatingLoader:
        """The loader that a recipe's schedule asks for."""
        if recipe.schedule == "released":
            return self.alternating(forget=recipe.forget_batch, retain=recipe.retain_batch)
        return self.joint(
            forget=recipe.forget_batch,
            retain=recipe.retain_batch,
            guard=recipe.guard_batch,
            steps=recipe.steps_per_round,
            hard_share=recipe.hard_share,
        )
