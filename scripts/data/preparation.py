"""How the images of a data set reach a network, and how a network answers a whole image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from monai.inferers import Inferer, SimpleInferer
from monai.transforms import Compose
from scripts.data.patches import random_patches, window_inferer
from scripts.data.sizes import axis_lengths
from scripts.data.source import DataSource
from scripts.data.transforms import augmentation, preprocessing


@dataclass(frozen=True)
class Preparation:
    """Transforms and inferer of one data set.

    Attributes:
        transform: record -> prepared tensors, the same for every use of a model.
        random: name of an augmentation -> its random transforms.
        crops: random transforms by which training takes patches; empty: whole images.
        inferer: what answers images larger than a patch.
        patch: lengths of a patch; empty: no patches.
        size: pixels along each axis of what the network is trained on.
    """

    transform: Compose
    random: Callable[[str], Sequence[Any]]
    crops: Sequence[Any] = ()
    inferer: Inferer = field(default_factory=SimpleInferer)
    patch: tuple[int, ...] = ()
    size: tuple[int, ...] = ()


def own_preparation(
    source: DataSource,
    *,
    image_size: int | Sequence[int] | None,
    patch_size: int | Sequence[int] | None,
    normalise: str,
    overlap: float,
    windows: int,
) -> Preparation:
    """The preparation that the settings ask for.

    Args:
        image_size: see `preprocessing`.
        patch_size: pixels along every axis, or along each; None: whole images.
        overlap, windows: see `window_inferer`.
    """
    dims, masks, graded = source.spatial_dims, source.masks, source.graded
    patch = axis_lengths(patch_size, spatial_dims=dims, name="patch_size")
    return Preparation(
        transform=preprocessing(source, image_size=image_size, normalise=normalise),
        random=lambda name: augmentation(name, spatial_dims=dims, masks=masks, graded=graded, normalise=normalise),
        crops=random_patches(patch, masks=masks),
        inferer=window_inferer(patch_size=patch_size, spatial_dims=dims, overlap=overlap, windows=windows),
        patch=patch,
        size=patch or axis_lengths(image_size, spatial_dims=dims, name="image_size"),
    )
