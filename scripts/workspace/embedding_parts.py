"""Parts of `embed`: the encoder, and what a head is fitted on."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.workspace.release_parts import ReleaseParts


class EmbeddingParts(ReleaseParts):
    """A frozen encoder and its embeddings."""

    @property
    def encoder_path(self) -> Path:
        """File of the encoder's weights.

        Raises:
            InputError: none is given.
        """
        from scripts.errors import InputError

        if not self.settings.encoder:
            raise InputError("encoder: nothing is given; give the weights of a classifier, --encoder FILE")
        return Path(self.settings.encoder).expanduser()

    @cached_property
    def embedding(self) -> Any:
        """The pipeline."""
        from scripts.cohort.build import record_split
        from scripts.embedding.encoder import Encoder
        from scripts.embedding.pipeline import Embedding
        from scripts.engines.models import place_teacher
        from scripts.errors import InputError

        if self.task.masks:
            raise InputError(
                f"task: {self.settings.task}: a linear head answers with classes; give task: classification"
            )
        network = place_teacher(network=self.network_def, path=self.encoder_path, arithmetic=self.arithmetic)
        sample = self.blank.to(self.arithmetic.device)
        cohort, contents = self.cohort, self.contents
        self.folder.begin()
        record_split(self.split_path, cohort)
        return Embedding(
            encoder=Encoder(network, sample=sample, arithmetic=self.arithmetic),
            encoder_path=self.encoder_path,
            cohort=cohort,
            loaders=self.loaders,
            digests={
                image: digest
                for name in ("retain", "forget")
                for images in contents[name].values()
                for image, digest in images.items()
            },
            folder=self.folder,
            ridge=self.settings.ridge,
            classes=self.settings.out_channels if self.foreign is None else len(self.source.classes),
        )
