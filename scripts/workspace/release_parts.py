"""The committed model in the forms that others take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.workspace.training_parts import TrainingParts

if TYPE_CHECKING:
    from scripts.release.inference_bundle import InferenceBundle


class ReleaseParts(TrainingParts):
    """What `export` writes."""

    @property
    def exporting(self) -> Any:
        """What writes the committed model for others: weights and TorchScript, or the foreign bundle with them."""
        if self.foreign is not None:
            from scripts.release.bundle_export import BundleExport

            return BundleExport(folder=self.folder, bundle=self.foreign)
        from scripts.errors import InputError
        from scripts.release.export import Export

        if self.task.graded:
            raise InputError(
                f"task: {self.settings.task}: export writes what answers with masks or classes; take release/student.pt"
            )
        network = self.model(self.folder.student)
        return Export(folder=self.folder, network=network, sample=self.blank, bundle=self._inference_bundle)

    def _inference_bundle(self, certificate: Mapping[str, Any]) -> InferenceBundle:
        """The model with MONAI's own parts around it, by the settings that it was trained with."""
        from scripts.data.sizes import axis_lengths
        from scripts.files import read_json
        from scripts.release.inference_bundle import InferenceBundle, Wanted
        from scripts.tasks.blocks import network_block

        own = self.settings
        shape = self._some(["spatial_dims", "in_channels", "out_channels"])
        block = own.blocks.get("network_def") or network_block(own.network_name, **shape)
        metadata = Path(own.bundle_root) / "configs" / "metadata.json"
        wanted = Wanted(
            network=block,
            task=own.task,
            normalise=own.normalise,
            image_size=axis_lengths(own.image_size, spatial_dims=own.spatial_dims, name="image_size") or None,
            patch_size=axis_lengths(own.patch_size, spatial_dims=own.spatial_dims, name="patch_size"),
            overlap=own.patch_overlap,
            **shape,
        )
        versions = read_json(metadata, remedy="restore the bundle's files")
        return InferenceBundle(wanted, versions=versions, verdict=str(certificate.get("verdict", "")))
