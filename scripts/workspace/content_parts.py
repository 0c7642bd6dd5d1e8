"""Contents of a run's files: digests by which data are known, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.workspace.data_parts import DATA, MODELS, REQUEST, SPLIT
from scripts.workspace.model_parts import ModelParts
from scripts.workspace.shared import shared

if TYPE_CHECKING:
    from scripts.identity import ContentDigests


class ContentParts(ModelParts):
    """Digests of images and labels, kept beside the models by path, size and time."""

    _digests: ContentDigests | None = None

    @cached_property
    def contents(self) -> dict[str, dict[str, dict[str, str]]]:
        """Set -> patient -> image id -> digest of image and label."""
        from scripts.cohort.cohort import SETS

        about = self._some([*DATA, *SPLIT, *REQUEST, *MODELS])
        return shared("contents", about, lambda: self._digests_of({name: self.cohort.named(name) for name in SETS}))

    def _digests_of(self, sets: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
        from scripts.identity import ContentDigests

        if self._digests is None:
            self._digests = ContentDigests(Path(self.settings.model_dir) / "content_digests.json")
        return {name: self._digests.of_records(records) for name, records in sets.items()}
