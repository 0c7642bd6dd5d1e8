"""From a record to what the network sees; random transforms for training."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    Compose,
    MapTransform,
    NormalizeIntensityd,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandRotate90d,
    RandScaleIntensityd,
    RandShiftIntensityd,
    Resized,
    Rotate90,
    ScaleIntensityRanged,
    SelectItemsd,
    Transform,
)
from scripts.data.loading import EXTENT
from scripts.data.sizes import axis_lengths
from scripts.data.source import DataSource, nearest_known
from scripts.data.views import RandRecompressd
from scripts.errors import InputError

KEPT = ("image", "label", "image_id", "patient_id")
SPACING = "spacing"  # mm of a pixel along each axis, of images whose files say it
NORMALISATIONS = ("half", "zscore", "none")
AUGMENTATIONS = ("none", "flips", "views", "fundus", "dermoscopy", "phantom")


class PlainTensors(MapTransform):
    """MetaTensors to plain, contiguous tensors: file paths must not travel with the pixels."""

    def __init__(self, keys: Sequence[str] = ("image", "label"), *, mask: bool = False) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.mask = mask

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            value = record[key]
            value = value.as_tensor() if hasattr(value, "as_tensor") else torch.as_tensor(value)
            if key == "label" and self.mask:
                value = (value >= 0.5).float()
            record[key] = value.contiguous()
        return record


class Spaced(Transform):
    """The spacing of the prepared image, where its file tells how large it is."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        if (extent := record.pop(EXTENT, None)) is not None:
            record[SPACING] = extent / torch.tensor(record["image"].shape[1:])
        return record


class QuarterTurnsd(RandRotate90d):
    """Random turns by one, two or three quarters; an oblong image is turned by half, so that it keeps its shape."""

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        self.randomize()
        if not self._do_transform:
            return dict(data)
        height, width = data[self.keys[0]].shape[1:3]
        turn = Rotate90(self._rand_k if height == width else 2, self.spatial_axes)
        return {**data, **{key: turn(data[key]) for key in self.key_iterator(dict(data))}}


def normalisation(name: str, *, key: str = "image") -> list[Transform]:
    """ "half": (x - 0.5) / 0.5; "zscore": each image to mean 0 and s.d. 1; "none"."""
    if name == "half":
        return [ScaleIntensityRanged(key, a_min=0.0, a_max=1.0, b_min=-1.0, b_max=1.0)]
    if name == "zscore":
        return [NormalizeIntensityd(key)]
    if name == "none":
        return []
    raise InputError(f"normalise: '{name}' is not one of {', '.join(NORMALISATIONS)}")


def preprocessing(
    source: DataSource, *, image_size: int | Sequence[int] | None = None, normalise: str = "half"
) -> Compose:
    """Record -> {image, label, image_id, patient_id, and of volumes spacing}: load, resize, normalise, plain tensors.

    Both image and mask are averaged over the area of each new pixel, so nothing aliases; the mask is then cut at
    one half.

    Args:
        source: the data set.
        image_size: pixels along every axis, or along each; None keeps the file's size.
        normalise: see `normalisation`.
    """
    masks = source.masks
    steps: list[Callable] = list(source.loading())
    if image_size is not None:
        size = axis_lengths(image_size, spatial_dims=source.spatial_dims, name="image_size")
        steps.append(Resized(("image", "label") if masks else ("image",), spatial_size=size, mode="area"))
    steps += source.resized()
    steps += normalisation(normalise)
    steps += [
        PlainTensors(mask=masks and not source.graded),
        Spaced(),
        SelectItemsd((*KEPT, SPACING), allow_missing_keys=True),
    ]
    return Compose(steps)


def augmentation(
    name: str, *, spatial_dims: int = 2, masks: bool = True, graded: bool = False, normalise: str = "half"
) -> list[Transform]:
    """Random transforms of normalised tensors: geometry on image and mask, intensity on the image alone.

    Args:
        name: "none"; "flips"; "views" (flips, contrast and brightness to 15 %, JPEG of quality 30 to 90: what must not
            bring back what was forgotten); "fundus" (flips, quarter turns, of oblong images half turns, rotation to 30
            degrees, scale to 15 %, gamma, contrast, brightness, noise); "dermoscopy" (the same with colour shifts per
            channel, no gamma); "phantom" (intensity alone: there the position carries what the network is to
            memorise).
        spatial_dims: 2 or 3.
        masks: whether `label` is an image that moves with the picture.
        graded: whether such an image holds intensities, and not structures.
        normalise: how the image was normalised, so that "views" can compress it.
    """
    if name not in AUGMENTATIONS:
        raise InputError(f"augmentation: '{name}' is unknown; nearest: {nearest_known(str(name), AUGMENTATIONS)}")
    if name == "none":
        return []
    if name == "phantom":
        return [*_intensity(brightness=0.05, contrast=0.05, noise=0.02), PlainTensors()]
    keys = ("image", "label") if masks else ("image",)
    flips: list[Transform] = [RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(spatial_dims)]
    if name == "flips":
        return [*flips, PlainTensors()]
    if name == "views":
        light = _intensity(brightness=0.15, contrast=0.15, noise=0.02)
        # JPEG knows pictures, not volumes.
        jpeg = [RandRecompressd(prob=0.4, quality=(30, 90), normalise=normalise)] if spatial_dims == 2 else []
        return [*flips, *light, PlainTensors(), *jpeg]
    turns: list[Transform] = [QuarterTurnsd(keys, prob=0.5, max_k=3)] if spatial_dims == 2 else []
    affine = RandAffined(
        keys,
        prob=0.6,
        rotate_range=[np.pi / 6] * (1 if spatial_dims == 2 else 3),
        scale_range=[0.15] * spatial_dims,
        mode=("bilinear", "nearest") if masks and not graded else "bilinear",
        padding_mode="border",
    )
    if name == "fundus":
        light = [RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.4))]
        light += _intensity(brightness=0.15, contrast=0.2, noise=0.03)
    else:
        light = [RandShiftIntensityd("image", offsets=0.05, prob=0.5, channel_wise=True)]
        light += _intensity(brightness=0.15, contrast=0.15, noise=0.02)
    return [*flips, *turns, affine, *light, PlainTensors(mask=masks and not graded)]


def _intensity(*, brightness: float, contrast: float, noise: float) -> list[Transform]:
    return [
        RandScaleIntensityd("image", factors=contrast, prob=0.5),
        RandShiftIntensityd("image", offsets=brightness, prob=0.5),
        RandGaussianNoised("image", prob=0.2, std=noise),
    ]
