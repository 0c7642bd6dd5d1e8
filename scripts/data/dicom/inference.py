"""Inference on DICOM: each series of a folder through a network, its mask as a DICOM segmentation or a NIfTI file."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from scripts.data.dicom.index import read_index
from scripts.data.dicom.reading import read_series
from scripts.data.dicom.segmentation import SUFFIX, is_segmentation_of_ours, write_segmentation
from scripts.data.mask_files import SaveMaskd, is_earlier_mask, nifti_bytes
from scripts.data.notices import counted, notice
from scripts.data.picture_input import FILE_NAME, STACK
from scripts.data.volumes import VOLUMES
from scripts.errors import InputError
from scripts.files import write_bytes

EXTENSIONS = (SUFFIX, *VOLUMES)
AFFINE = "series_affine"  # key of the metadata: a batch loses the reader's own


def series_in(dataset_dir: str | Path, output_dir: str | Path = "") -> list[dict[str, Any]]:
    """One entry {image: paths of its slices in order, filename_or_obj} per series of a folder.

    Raises:
        InputError: no such folder, no series in it, or one that is no whole stack of slices.
    """
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --dataset_dir must name a folder of DICOM series")
    index = read_index(folder)
    if index.others:
        notice(f"{folder}: {len(index.others)} series are no stack of slices: {counted(index.others.values())}")
    if not index.series:
        raise InputError(f"{folder}: no DICOM series found")
    ordered = [[one.path for one in series.ordered()] for series in index.series.values()]
    return [{"image": paths, FILE_NAME: paths[0]} for paths in ordered]


class ReadSeriesd(MapTransform):
    """The slices of a series to a MetaTensor (X, Y, Z) with its affine to RAS.

    Args:
        channels: of the network, which must be 1.
    """

    def __init__(self, keys: str = "image", *, channels: int = 1) -> None:
        super().__init__(keys)
        if channels != 1:
            raise InputError(f"in_channels: {channels}, but the slices of a DICOM series have one channel")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            volume = read_series(record[key])
            meta = {FILE_NAME: volume.path, STACK: True, "original_channel_dim": float("nan")}
            meta |= {"affine": torch.from_numpy(volume.affine), "original_affine": volume.affine.copy()}
            meta[AFFINE] = volume.affine.copy()
            record[key] = MetaTensor(torch.from_numpy(volume.values[0].copy()), meta=meta)
        return record


class SaveSegmentationd(SaveMaskd):
    """Write the mask of each series below `output_dir`, called by its SeriesInstanceUID, as a DICOM segmentation or, by
    `output_ext`, as NIfTI files. It replaces nothing but an earlier mask.

    Raises:
        InputError: as of `SaveMaskd`.
    """

    def _extension(self, given: str) -> str:
        if given not in ("", *EXTENSIONS):
            raise InputError(f"output_ext: '{given}' is not one of {', '.join(EXTENSIONS)}, or empty for {SUFFIX}")
        return given or SUFFIX

    def _write(self, masks: np.ndarray, meta: Mapping[str, Any]) -> None:
        uid, paths = self._series[str(meta[FILE_NAME])]
        masks = masks.reshape(*masks.shape, *[1] * (4 - masks.ndim))
        affine = np.asarray(meta[AFFINE], dtype=float).reshape(4, 4)
        name = f"{uid}{'_' if self.postfix else ''}{self.postfix}"
        if self.extension == SUFFIX:
            most = max(int(masks.max()), 1)
            own = np.stack([masks[0] == number for number in range(1, most + 1)]) if self.numbered else masks
            names = [f"structure {number}" for number in range(1, len(own) + 1)]
            write_segmentation(self._free(name), own, sources=paths, affine=affine, names=names)
            return
        for number, one in enumerate(masks, start=1):
            path = self._free(name if len(masks) == 1 else f"{name}_{number}")
            content = nifti_bytes(nib.Nifti1Image(one, affine), path)  # type: ignore[attr-defined]
            write_bytes(path, content, durable=False)

    def _free(self, name: str) -> Path:
        """The path of a mask, where nothing of somebody else lies."""
        path = self.output_dir / f"{name}{self.extension}"
        earlier = is_segmentation_of_ours if self.extension == SUFFIX else is_earlier_mask
        if os.path.lexists(path) and not earlier(path):
            raise InputError(f"{path}: is there already and is no mask of an earlier run; name another output_dir")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def _series(self) -> dict[str, tuple[str, list[str]]]:
        """First slice of each series -> its uid and ordered files."""
        found = {}
        for series in read_index(Path(self.dataset_dir).expanduser()).series.values():
            paths = [one.path for one in series.ordered()]
            found[paths[0]] = (series.uid, paths)
        return found
