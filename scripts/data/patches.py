"""Patches of images that are too large to be trained on whole, and windows by which a whole image is answered."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.inferers import Inferer, SimpleInferer, SlidingWindowInferer
from monai.transforms import (
    MapTransform,
    RandCropByPosNegLabeld,
    Randomizable,
    RandSpatialCropd,
    SpatialPadd,
    Transform,
)
from scripts.data.sizes import axis_lengths

ANYTHING = "anything"  # key of the mask of all structures together, while a patch is chosen


class RandomPatchd(MapTransform, Randomizable):
    """One patch of image and label; every second one lies about a pixel of a structure, where there is one.

    An image that is smaller than a patch is padded with its own values at the border, its mask with background.

    Args:
        size: pixels along each axis.
        masks: whether `label` is a mask; else patches lie anywhere.
    """

    def __init__(self, size: Sequence[int], *, masks: bool) -> None:
        keys = ("image", "label") if masks else ("image",)
        super().__init__(keys)
        self.masks = masks
        self.pad = SpatialPadd(keys, size, mode=("edge", "constant") if masks else "edge")
        self.crop: Any = RandSpatialCropd(keys, size, random_size=False)
        if masks:
            self.crop = RandCropByPosNegLabeld(keys, label_key=ANYTHING, spatial_size=size, allow_smaller=True)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> RandomPatchd:
        super().set_random_state(seed, state)
        self.crop.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = self.pad(dict(data))
        if not self.masks:
            return self.crop(record)
        record[ANYTHING] = (record["label"] > 0.5).any(0, keepdim=True)
        (found,) = self.crop(record)
        return {key: value for key, value in found.items() if key != ANYTHING}


def random_patches(size: Sequence[int], *, masks: bool) -> list[Transform]:
    """The random transforms by which training takes patches; none where images are trained on whole."""
    from scripts.data.transforms import PlainTensors

    return [RandomPatchd(size, masks=masks), PlainTensors()] if size else []


def window_inferer(
    *, patch_size: int | Sequence[int] | None, spatial_dims: int, overlap: float, windows: int
) -> Inferer:
    """What answers an image of any size: window by window, averaged where they overlap; whole where there is no patch.

    Args:
        patch_size: pixels along every axis, or along each; None: whole images.
        overlap: share of a window.
        windows: how many at once.
    """
    size = axis_lengths(patch_size, spatial_dims=spatial_dims, name="patch_size")
    if not size:
        return SimpleInferer()
    return SlidingWindowInferer(roi_size=size, sw_batch_size=windows, overlap=overlap, mode="gaussian")
