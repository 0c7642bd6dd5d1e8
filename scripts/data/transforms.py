"""From a record to what the network sees; random views for training, fixed views for evaluation."""

from __future__ import annotations

import io
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
    ScaleIntensityRanged,
    SelectItemsd,
    Transform,
)
from PIL import Image

from scripts.data.source import DataSource, nearest_known
from scripts.errors import InputError

KEPT = ("image", "label", "image_id", "patient_id")
NORMALISATIONS = ("half", "zscore", "none")
AUGMENTATIONS = ("none", "flips", "fundus", "dermoscopy", "phantom")
VIEWS = ("flip_h", "flip_v", "jitter", "jpeg")
JPEG_QUALITY = 50

View = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


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
    """Record -> {image, label, image_id, patient_id}: load, resize, normalise, plain tensors.

    Both image and mask are averaged over the area of each new pixel, so nothing aliases; the mask is then cut at
    one half.

    Args:
        source: the data set.
        image_size: pixels along every axis, or along each; None keeps the file's size.
        normalise: see `normalisation`.
    """
    masks = source.task == "segmentation"
    steps: list[Callable] = list(source.loading())
    if image_size is not None:
        size = (image_size,) * source.spatial_dims if isinstance(image_size, int) else tuple(image_size)
        if len(size) != source.spatial_dims or min(size) < 1:
            raise InputError(f"image_size: {list(size)} does not fit {source.spatial_dims} spatial dimensions")
        steps.append(Resized(("image", "label") if masks else ("image",), spatial_size=size, mode="area"))
    steps += normalisation(normalise)
    steps += [PlainTensors(mask=masks), SelectItemsd(KEPT)]
    return Compose(steps)


def augmentation(name: str, *, spatial_dims: int = 2, masks: bool = True) -> list[Transform]:
    """Random transforms of normalised tensors: geometry on image and mask, intensity on the image alone.

    Args:
        name: "none"; "flips"; "fundus" (flips, quarter turns, rotation to 30 degrees, scale to 15 %, gamma, contrast,
            brightness, noise); "dermoscopy" (the same with colour shifts per channel, no gamma); "phantom"
            (intensity alone: there the position carries what the network is to memorise).
        spatial_dims: 2 or 3.
        masks: whether `label` is a mask that moves with the image.
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
    turns: list[Transform] = [RandRotate90d(keys, prob=0.5, max_k=3)] if spatial_dims == 2 else []
    affine = RandAffined(
        keys,
        prob=0.6,
        rotate_range=[np.pi / 6] * (1 if spatial_dims == 2 else 3),
        scale_range=[0.15] * spatial_dims,
        mode=("bilinear", "nearest") if masks else "bilinear",
        padding_mode="border",
    )
    if name == "fundus":
        light = [RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.4))]
        light += _intensity(brightness=0.15, contrast=0.2, noise=0.03)
    else:
        light = [RandShiftIntensityd("image", offsets=0.05, prob=0.5, channel_wise=True)]
        light += _intensity(brightness=0.15, contrast=0.15, noise=0.02)
    return [*flips, *turns, affine, *light, PlainTensors(mask=masks)]


def _intensity(*, brightness: float, contrast: float, noise: float) -> list[Transform]:
    return [
        RandScaleIntensityd("image", factors=contrast, prob=0.5),
        RandShiftIntensityd("image", offsets=brightness, prob=0.5),
        RandGaussianNoised("image", prob=0.2, std=noise),
    ]


def _flipped(axis: int) -> View:
    def view(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return image.flip(axis), label.flip(axis) if label.ndim == image.ndim else label

    return view


def _jittered(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Contrast down by a tenth around the image's mean, brightness up by a tenth of its s.d."""
    mean = image.mean()
    return (image - mean) * 0.9 + mean + 0.1 * image.std(), label


def _recompressed(normalise: str) -> View:
    def view(image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        low, high = (-1.0, 1.0) if normalise == "half" else (0.0, 1.0)
        if normalise == "zscore":
            low, high = float(image.min()), float(image.max())
        span = max(high - low, 1e-6)
        levels = ((image - low) / span).clamp(0, 1).mul(255).round().byte().cpu().numpy()
        planes = [levels.transpose(1, 2, 0)] if levels.shape[0] == 3 else list(levels)
        decoded = [_jpeg(plane) for plane in planes]
        stacked = decoded[0].transpose(2, 0, 1) if levels.shape[0] == 3 else np.stack(decoded)
        return torch.from_numpy(stacked.astype(np.float32) / 255).to(image) * span + low, label

    return view


def _jpeg(plane: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer))


def views(name: str = "all", *, normalise: str = "half", spatial_dims: int = 2) -> list[tuple[str, View]]:
    """Fixed views under which forgetting must hold: (name, function of a normalised image (C, H, W) and its label).

    Args:
        name: "all", "none" or one of `VIEWS`: "flip_h", "flip_v", "jitter", "jpeg" (re-compressed at quality 50).
        normalise: how the image was normalised, so that "jpeg" can work in 0..1.
        spatial_dims: volumes have no "jpeg" view.
    """
    # (H, W) are the two first spatial axes, in 2D and 3D
    made: dict[str, View] = {
        "flip_h": _flipped(2),
        "flip_v": _flipped(1),
        "jitter": _jittered,
        "jpeg": _recompressed(normalise),
    }
    if spatial_dims != 2:
        del made["jpeg"]
    if name == "all":
        return list(made.items())
    if name == "none":
        return []
    if name not in made:
        raise InputError(f"views: '{name}' is unknown; allowed: all, none, {', '.join(made)}")
    return [(name, made[name])]
