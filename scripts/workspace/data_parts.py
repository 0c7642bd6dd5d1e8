"""Data of a run: source, cohort, transforms and loaders, made lazily from its settings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from scripts.workspace.settings_parts import SettingsParts
from scripts.workspace.shared import shared

if TYPE_CHECKING:
    from scripts.cohort import Cohort
    from scripts.cohort.loaders import CohortLoaders
    from scripts.data.preparation import Preparation
    from scripts.data.source import DataSource
    from scripts.methods.recipe import Recipe

DATA = (
    "dataset_name dataset_dir datalist medmnist undersampling acceleration center_fraction foreign trust_foreign"
    " patient_from task observer phantom_seed phantom_patients download spatial_dims in_channels out_channels"
).split()
SPLIT = "split_seed validation_share test_share guard_share folds".split()
REQUEST = "request forget_ratio goal reference tombstones key_dir trust_unrecorded".split()
MODELS = "model_dir model_name fold_dir split_dir as_model".split()
RENEWING = ("request", "fold")
WITHOUT_REQUEST = ("train", "prepare", "renew", "tune", "embed")  # workflows that need none
# By these an image is read and prepared.
PREPARED = (
    "trust_foreign image_size patch_size patch_overlap normalise spatial_dims in_channels task observer undersampling"
    " acceleration center_fraction"
).split()


class DataParts(SettingsParts):
    """The data set, its sets of patients, and the loaders of a phase."""

    @cached_property
    def source(self) -> DataSource:
        """The data set; of what was forgotten before it looks at no file."""
        from scripts.data import build_source

        options = self._some(DATA)
        about = options | self._some(["tombstones", "key_dir"]) | (self._some(RENEWING) if self.renews else {})
        options["channels"], options["outputs"] = options.pop("in_channels"), options.pop("out_channels", None)
        options["gone"] = self._gone
        if self.foreign is not None:
            from scripts.foreign.records import Foreign

            own = {name: options[name] for name in ("patient_from", "datalist", "dataset_dir", "gone")}
            bundle = self.foreign
            return shared("source", about, lambda: Foreign(bundle=bundle, **own))
        return shared("source", about, lambda: build_source(options.pop("dataset_name"), **options))

    @cached_property
    def cohort(self) -> Cohort:
        """The sets of patients, and what the request asks to forget."""
        from scripts.cohort.build import build_cohort

        about = self._some([*DATA, *SPLIT, *REQUEST, *MODELS, *(RENEWING if self.renews else ())])
        train, without_request = self.workflow == "train", self.workflow in WITHOUT_REQUEST
        teacher = self.teacher_path if "model_dir" in self.settings else None
        own = {
            "request": self._get("request", ""),
            "forget_ratio": self._get("forget_ratio", 0.0),
            "needs_forget": not without_request,
            "seed": self.settings.split_seed,
            **self._some(["validation_share", "test_share", "guard_share", "folds", "goal"]),
            "split_path": self.split_path,
            "model": (self.settings.as_model or None) if train else teacher,
            "fold": self.renewed_fold,
            "trust_unrecorded": self._get("trust_unrecorded", False),
            "reference": "fold" if self.asks_reference else "none",
            "gone_images": self._gone,
        }
        return shared("cohort", about, lambda: build_cohort(self.source, **own))

    @property
    def folds(self) -> int:
        """Number of folds that are asked for: that of the recorded split where it is left to it."""
        recorded = self.cohort.recorded
        return recorded.folds if self.settings.folds and recorded is not None else 0

    @cached_property
    def preparation(self) -> Preparation:
        """How images reach the network, and how it answers whole ones."""
        from scripts.data.preparation import own_preparation

        if self.foreign is not None:
            from scripts.foreign.transforms import foreign_preparation

            bundle, records = self.foreign, self.source.records
            return shared("preparation", self._some(DATA), lambda: foreign_preparation(bundle, records()))
        return own_preparation(
            self.source,
            **self._some(["image_size", "patch_size", "normalise"]),
            overlap=self.settings.patch_overlap,
            windows=self._get("eval_batch_size", self._get("batch_size", 1)),
        )

    @property
    def preprocessing(self) -> Any:
        """File to prepared tensors, the same for every use of a model."""
        return self.preparation.transform

    def augmentation(self, name: str) -> list[Any]:
        """Random transforms of training: by which it takes patches, and those that go by a name."""
        return [*self.preparation.crops, *self.preparation.random(name)]

    def answer_batch(self, images: int) -> int:
        """Images of a batch that is answered: one, where windows answer and each has a size of its own."""
        return 1 if self.preparation.patch else images

    @cached_property
    def loaders(self) -> CohortLoaders:
        """The sets as loaders, with the random transforms of this phase."""
        from scripts.cohort.loaders import CohortLoaders

        about = [self._some([*DATA, *SPLIT, *REQUEST, *MODELS, *PREPARED, "cache", "output_dir"])]
        retain_images = self.recipe.retain_images if self.workflow == "forget" else self._get("retain_images", None)
        return CohortLoaders(
            cohort=self.cohort,
            transform=self.looked_up,
            crops=self.preparation.crops,
            augment=self.preparation.random(self._get(f"{self.workflow}_augment", "none")),
            batch_size=self.answer_batch(self.settings.eval_batch_size),
            cache=self.settings.cache,
            cache_dir=self.folder.cache,
            seed=self._get("seed", 0),
            views=self._get("cached_views", 0),
            retain_images=retain_images,
            retain_choice=self._get("retain_choice", "random"),
            prepared=shared("prepared", about, dict),
        )

    @property
    def looked_up(self) -> Any:
        """`preprocessing`, or what it gave where that lies prepared."""
        return self.preprocessing

    @property
    def recipe(self) -> Recipe:
        """The settings of forgetting."""
        raise NotImplementedError

    @property
    def renews(self) -> bool:
        """Whether a fold teacher forgets who is gone already, so that the pool is as the teacher."""
        return self.renewed_fold >= 0

    @property
    def renewed_fold(self) -> int:
        """Fold whose teacher forgets; -1 where a teacher of all folds does."""
        return self.settings.fold if self.workflow == "forget" else -1

    def _gone(self, records: Any) -> frozenset[str]:
        """Ids of images that were forgotten before, less those that a fold teacher has still to forget."""
        from scripts.record.tombstones import gone_images
        from scripts.request import read_request

        found = gone_images(records, **self._some(["tombstones", "key_dir"]))
        return found - set(read_request(self.settings.request).ids) if self.renews else found
