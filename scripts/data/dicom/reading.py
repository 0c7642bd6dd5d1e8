"""Pixels of a series through ITK, with rescale slope and intercept, on axes closest to RAS."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from scripts.data.dicom.index import EXTRA
from scripts.data.loading import EXTENT, GEOMETRY
from scripts.data.volumes import Volume, in_dims, upright
from scripts.errors import InputError

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM's axes point to left and back, NIfTI's to right and front


def read_series(paths: Sequence[str]) -> Volume:
    """A series as float32 (1, X, Y, Z) and its affine to RAS, mm.

    Args:
        paths: of its slices in their order, see `Series.ordered`.

    Raises:
        InputError: ITK is not installed, or cannot read a file.
    """
    try:
        import itk
    except ImportError as error:
        raise InputError(EXTRA) from error
    try:
        image = itk.imread(list(paths) if len(paths) > 1 else paths[0], itk.F)
    except Exception as error:  # ITK raises plain RuntimeErrors of many lines
        reason = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise InputError(f"{paths[0]}: its series cannot be read by ITK ({reason[-1].strip()})") from error
    values = np.asarray(itk.array_view_from_image(image), dtype=np.float32)
    values = np.ascontiguousarray(values.reshape(-1, *values.shape[-2:]).transpose(2, 1, 0))[None]
    if not np.isfinite(values).all():
        raise InputError(f"{paths[0]}: its series holds values that are not finite")
    affine = np.eye(4)
    axes = np.asarray(itk.array_from_matrix(image.GetDirection()), float)
    affine[:3, :3] = axes * np.asarray(image.GetSpacing(), float)
    affine[:3, 3] = np.asarray(image.GetOrigin(), float)
    return Volume(values, TO_RAS @ affine, str(paths[0]))


class LoadSeries(MapTransform):
    """The files of a series to float32 (1, X, Y[, Z]), axes turned closest to RAS; see `read_series`.

    Args:
        spatial_dims: 2 takes series of one slice.
    """

    def __init__(self, key: str = "image", *, spatial_dims: int = 3) -> None:
        super().__init__((key,))
        self.spatial_dims = spatial_dims

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            volume = upright(read_series(record[key]))
            record[EXTENT] = torch.from_numpy(volume.extent(spatial_dims=self.spatial_dims))
            record[GEOMETRY] = (volume.affine, volume.grid, volume.path)
            record[key] = torch.from_numpy(in_dims(volume.values, spatial_dims=self.spatial_dims, path=volume.path))
        return record
