"""Contents of a run's files: digests by which data are known, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.workspace.data_parts import DATA, MODELS, PREPARED, REQUEST, SPLIT
from scripts.workspace.model_parts import ModelParts
from scripts.workspace.shared import shared

if TYPE_CHECKING:
    from scripts.cohort.fingerprints import Fingerprints
    from scripts.data.image_store import ImageStore
    from scripts.identity import ContentDigests


class ContentParts(ModelParts):
    """Digests and fingerprints of images, which depend on no request."""

    @cached_property
    def digests(self) -> ContentDigests:
        """Digests of files, kept beside the models by path, size and time."""
        from scripts.identity import ContentDigests

        return ContentDigests(self._beside / "content_digests.json")

    @cached_property
    def contents(self) -> dict[str, dict[str, dict[str, str]]]:
        """Set -> patient -> image id -> digest of image and label."""
        from scripts.cohort.cohort import SETS

        about = self._some([*DATA, *SPLIT, *REQUEST, *MODELS])
        return shared("contents", about, lambda: self._digests_of({name: self.cohort.named(name) for name in SETS}))

    @cached_property
    def prints(self) -> Fingerprints:
        """Fingerprints of images, by which look-alikes are found, kept beside the models by content."""
        from scripts.cohort.fingerprints import FILE_NAME, Fingerprints
        from scripts.identity.identity import plain_digest

        return Fingerprints(
            self.source.loading(),
            path=Path(self.settings.model_dir) / FILE_NAME,
            digest=self.digests.of_record,
            about=plain_digest([self.source.name, self._some(["in_channels", "spatial_dims", "task"])]),
        )

    def write_prints(self) -> None:
        """Compute the fingerprints of all images that a request could have to be compared with."""
        from scripts.cohort.cohort import SETS

        for name in SETS:
            for record in self.cohort.named(name):
                self.prints.of(record)
        self.prints.save()

    @cached_property
    def store(self) -> ImageStore:
        """The prepared images beside the fold teachers."""
        from scripts.data.image_store import ImageStore
        from scripts.identity import code_identity
        from scripts.identity.identity import plain_digest

        key = plain_digest([self.source.name, self._some(PREPARED), code_identity()])
        return ImageStore(self.fold_dir, key=key[:16], digest=self.digests.of_record)

    @cached_property
    def looked_up(self) -> Any:  # type: ignore[override]
        """`preprocessing`, or what it gave where that lies prepared; a cache on the disk has prepared images itself."""
        from monai.transforms import Compose
        from scripts.data.image_store import StoredOr

        if self.settings.cache == "disk" or not self.store.folder.is_dir():
            return self.preprocessing
        return Compose([StoredOr(self.store, self.preprocessing)])

    def write_images(self) -> None:
        """Prepare all images that a request may draw from or be measured on, those first that it draws from."""
        from scripts.cohort.cohort import SETS

        order = ("retain", "guard", *(name for name in SETS if name not in ("retain", "guard")))
        records = [record for name in order for record in self.cohort.named(name)]
        filled = self.store.fill(records, self.preprocessing, megabytes=self.settings.store_budget)
        room = f"; {filled.left_out} more have no room, see store_budget" if filled.left_out else ""
        print(f"prepare: {filled.images} images are prepared, {filled.megabytes:.0f} MB{room}", flush=True)

    def _digests_of(self, sets: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
        return {name: self.digests.of_records(records) for name, records in sets.items()}
