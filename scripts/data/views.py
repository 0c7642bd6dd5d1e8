"""The same image seen otherwise: fixed views under which forgetting must hold, and re-compression."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, RandomizableTransform
from PIL import Image
from scripts.errors import InputError

VIEWS = ("flip_h", "flip_v", "jitter", "jpeg")
JPEG_QUALITY = 50

View = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


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
        return recompressed(image, quality=JPEG_QUALITY, normalise=normalise), label

    return view


def recompressed(image: torch.Tensor, *, quality: int, normalise: str) -> torch.Tensor:
    """A normalised image (C, H, W) as it comes back from a JPEG file of this quality; each channel a grey picture
    where there are not three."""
    low, high = (-1.0, 1.0) if normalise == "half" else (0.0, 1.0)
    least, most = float(image.min()), float(image.max())
    # A slice of a volume holds values far outside the range of pictures: there its own range is compressed.
    if normalise == "zscore" or least < low - (high - low) or most > high + (high - low):
        low, high = least, most
    span = max(high - low, 1e-6)
    levels = ((image - low) / span).clamp(0, 1).mul(255).round().byte().cpu().numpy()
    planes = [levels.transpose(1, 2, 0)] if levels.shape[0] == 3 else list(levels)
    decoded = [_jpeg(plane, quality) for plane in planes]
    stacked = decoded[0].transpose(2, 0, 1) if levels.shape[0] == 3 else np.stack(decoded)
    return torch.from_numpy(stacked.astype(np.float32) / 255).to(image) * span + low


def _jpeg(plane: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, format="JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


class RandRecompressd(RandomizableTransform, MapTransform):
    """`recompressed` at a quality drawn from `quality`, with probability `prob`."""

    def __init__(self, key: str = "image", *, prob: float, quality: tuple[int, int], normalise: str) -> None:
        RandomizableTransform.__init__(self, prob)
        MapTransform.__init__(self, (key,))
        self.quality, self.normalise = quality, normalise

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        self.randomize(None)
        quality = int(self.R.randint(self.quality[0], self.quality[1] + 1))
        if self._do_transform:
            for key in self.key_iterator(record):
                record[key] = recompressed(record[key], quality=quality, normalise=self.normalise)
        return record


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
