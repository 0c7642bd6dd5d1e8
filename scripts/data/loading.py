"""Records' files to checked tensors, through the readers that inference uses too: see pictures.py and volumes.py."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Transform
from scripts.data.pictures import check_channels, read_mask_picture, read_picture
from scripts.data.volumes import check_same_grid, in_dims, is_volume, read_volume, upright
from scripts.errors import InputError

GEOMETRY = "image_geometry"  # key of (affine, grid, path) that a volume leaves for its mask
EXTENT = "extent"  # key of a volume's lengths in mm, from which the spacing follows after resizing


class LoadPicture(MapTransform):
    """PNG, JPEG, BMP or TIFF to float32 (C, H, W) in 0..1, rows first; see `read_picture`.

    Args:
        channels: 1 or 3, whatever the file has.
    """

    def __init__(self, key: str = "image", *, channels: int = 3) -> None:
        super().__init__((key,))
        self.channels = check_channels(channels)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            if is_volume(record[key]):
                raise InputError(f"{record[key]}: is a NIfTI file, where a picture is asked for")
            record[key] = torch.from_numpy(read_picture(record[key], channels=self.channels))
        return record


class LoadVolume(MapTransform):
    """NIfTI to float32 (C, X, Y[, Z]), values as stored, axes turned closest to RAS; see `upright`.

    Args:
        spatial_dims: 2 takes files with one slice.
        channels: that a file must have; None takes any.
    """

    def __init__(self, key: str = "image", *, spatial_dims: int = 3, channels: int | None = None) -> None:
        super().__init__((key,))
        self.spatial_dims, self.channels = spatial_dims, channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            volume = upright(read_volume(record[key], channels=self.channels))
            values = in_dims(volume.values, spatial_dims=self.spatial_dims, path=volume.path)
            record[EXTENT] = torch.from_numpy(volume.extent(spatial_dims=self.spatial_dims))
            record[GEOMETRY] = (volume.affine, volume.grid, volume.path)
            record[key] = torch.from_numpy(values)
        return record


class LoadMask(MapTransform):
    """A mask file to float32 (S, H, W[, D]) in {0, 1}, on the pixels of the image that was loaded before it.

    Values {0, 1}, {0, 255} and bool are masks; anything else is refused, because a threshold would hide that the
    wrong file, or a lossy one, was given. The mask of a NIfTI file is a NIfTI file on the same grid; it may be stored
    with other axes, because both are turned to the same ones by their headers.

    Args:
        numbered: number of structures where one file tells them apart by the numbers 1 to S, 0 background; 0 where
            each structure has a file of its own, and the record lists them.
        segmentation: reads a file that is no picture and no NIfTI file, by path, affine and grid of the image, to
            masks (S, X, Y, Z); None: there are none.
        structures: that such a file must hold.
    """

    def __init__(
        self,
        key: str = "label",
        *,
        image_key: str = "image",
        spatial_dims: int = 2,
        numbered: int = 0,
        segmentation: Callable[..., np.ndarray] | None = None,
        structures: int = 1,
    ) -> None:
        super().__init__((key,))
        self.image_key, self.spatial_dims, self.numbered = image_key, spatial_dims, numbered
        self.segmentation, self.structures = segmentation, structures

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        geometry = record.pop(GEOMETRY, None)
        for key in self.key_iterator(record):
            image = record.get(self.image_key)
            loaded = image if isinstance(image, torch.Tensor) else None
            paths = record[key] if isinstance(record[key], list) else [record[key]]
            record[key] = torch.cat([self._mask(path, geometry, loaded) for path in paths])
        return record

    def _mask(self, path: str, geometry: tuple | None, loaded: torch.Tensor | None) -> torch.Tensor:
        if self.segmentation is not None and geometry is not None and not is_volume(path):
            return self._segments(path, geometry)
        if loaded is not None and is_volume(path) != (geometry is not None):
            raise InputError(f"{path}: image and mask must both be pictures or both be NIfTI files")
        values = self._values(path, geometry)
        mask = numbered_masks(values, self.numbered, path=path) if self.numbered else binary_mask(values, path=path)
        if loaded is not None and loaded.shape[1:] != mask.shape[1:]:
            mask_size, image_size = tuple(mask.shape[1:]), tuple(loaded.shape[1:])
            raise InputError(f"{path}: mask size {mask_size} differs from image size {image_size}")
        return mask

    def _segments(self, path: str, geometry: tuple) -> torch.Tensor:
        """Masks of all segments of a file, as many as there are structures, on the image's pixels."""
        assert self.segmentation is not None
        affine, grid, image = geometry
        found = self.segmentation(path, affine, grid, image=image)
        if len(found) != self.structures:
            raise InputError(f"{path}: holds {len(found)} segments, where out_channels asks for {self.structures}")
        if self.numbered and (found.sum(0) > 1).any():
            raise InputError(f"{path}: segments overlap, where structures exclude one another")
        return torch.from_numpy(in_dims(found, spatial_dims=self.spatial_dims, path=path))

    def _values(self, path: str, geometry: tuple | None) -> torch.Tensor:
        if not is_volume(path):
            return torch.from_numpy(read_mask_picture(path))
        volume = upright(read_volume(path))
        if geometry is not None:
            affine, grid, image = geometry
            check_same_grid(volume, affine, grid, image=image)
        return torch.from_numpy(in_dims(volume.values, spatial_dims=self.spatial_dims, path=path))


def binary_mask(values: torch.Tensor, *, path: str | Path) -> torch.Tensor:
    """Check that `values` (C, ...) is a mask and return it as float32 (1, ...) in {0, 1}.

    Raises:
        InputError: more than two values, two values that are not black and white, or channels that differ.
    """
    if values.shape[0] > 1 and not bool((values == values[:1]).all()):
        raise InputError(f"{path}: mask has colours; allowed are one channel with values {{0, 1}} or {{0, 255}}")
    mask = values[:1].float()
    top = float(mask.max())
    if top not in (0.0, 1.0, 255.0) or not bool(((mask == 0) | (mask == top)).all()):
        found = torch.unique(mask).tolist()
        shown = ", ".join(f"{value:g}" for value in found[:4]) + (", ..." if len(found) > 4 else "")
        raise InputError(f"{path}: mask is not binary (values {shown}); allowed are {{0, 1}} or {{0, 255}}")
    return mask / max(top, 1.0)


def numbered_masks(values: torch.Tensor, structures: int, *, path: str | Path) -> torch.Tensor:
    """Masks (S, ...), float32, of the numbers 1 to S in `values` (1, ...); 0 is background.

    Raises:
        InputError: colours, or a value that is none of these numbers.
    """
    if values.shape[0] > 1 and not bool((values == values[:1]).all()):
        raise InputError(f"{path}: mask has colours; allowed is one channel with the numbers 0 to {structures}")
    numbers = values[0].float()
    odd = numbers[(numbers != numbers.round()) | (numbers < 0) | (numbers > structures)]
    if len(odd):
        raise InputError(f"{path}: mask holds {odd[0].item():g}; allowed are the numbers 0 to {structures}")
    return torch.stack([(numbers == number).float() for number in range(1, structures + 1)])


class ClassLabel(Transform):
    """`label` of a classification record as an int64 scalar tensor."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        record["label"] = torch.tensor(int(record["label"]), dtype=torch.int64)
        return record
