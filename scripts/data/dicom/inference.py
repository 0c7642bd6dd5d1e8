"""Inference on DICOM: each series of a folder through a network, its mask as a DICOM segmentation or a NIfTI file."""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, SaveImaged

from scripts.data.dicom.index import read_index
from scripts.data.dicom.reading import read_series
from scripts.data.dicom.segmentation import SUFFIX, write_segmentation
from scripts.data.notices import counted, notice
from scripts.data.picture_input import FILE_NAME, STACK
from scripts.data.volumes import VOLUMES
from scripts.errors import InputError
from scripts.files import write_bytes

EXTENSIONS = (SUFFIX, *VOLUMES)


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
            record[key] = MetaTensor(torch.from_numpy(volume.values[0].copy()), meta=meta)
        return record


class SaveSegmentationd(SaveImaged):
    """Write the mask of each series below `output_dir`, called by its SeriesInstanceUID.

    Args:
        dataset_dir: folder of the series.
        output_ext: .dcm, a DICOM segmentation, where empty; or .nii.gz, .nii.
        output_postfix: what the name of a mask ends in.
        numbered: whether a mask holds the numbers of several structures.
        structures: that may overlap, a segment each; NIfTI files have their numbers at the end of their names.

    Raises:
        InputError: another suffix; a file is in the place of a mask.
    """

    def __init__(
        self,
        keys: str = "pred",
        *,
        dataset_dir: str,
        output_dir: str,
        output_ext: str = "",
        output_postfix: str = "mask",
        numbered: bool = False,
        structures: int = 1,
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_ext=VOLUMES[0], output_dtype=np.uint8, print_log=False)
        self.extension = output_ext or SUFFIX
        if self.extension not in EXTENSIONS:
            raise InputError(f"output_ext: '{output_ext}' is not one of {', '.join(EXTENSIONS)}")
        self.dataset_dir, self.output_dir, self.postfix = dataset_dir, Path(output_dir).expanduser(), output_postfix
        self.numbered, self.structures = bool(numbered), int(structures)
        self._known: dict[str, tuple[str, list[str]]] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            mask = record[key]
            uid, paths = self._series(str(mask.meta[FILE_NAME]))
            values = mask.as_tensor().cpu().numpy().astype(np.uint8)
            values = values.reshape(*values.shape, *[1] * (4 - values.ndim))
            wanted = 1 if self.numbered else self.structures
            if len(values) != wanted:
                raise InputError(
                    f"out_channels: the network answers for {len(values)} structures, where {wanted} are written; take"
                    " configs/inference_multiclass.yaml on top where they exclude one another, else"
                    " configs/inference_multilabel.yaml"
                )
            self.output_dir.mkdir(parents=True, exist_ok=True)
            self._write(f"{uid}_{self.postfix}", values, read_series(paths).affine, paths)
        return record

    def _write(self, name: str, values: np.ndarray, affine: np.ndarray, paths: list[str]) -> None:
        if self.extension == SUFFIX:
            most = max(int(values.max()), 1)
            masks = np.stack([values[0] == number for number in range(1, most + 1)]) if self.numbered else values
            names = [f"structure {number}" for number in range(1, len(masks) + 1)]
            write_segmentation(self._free(name), masks, sources=paths, affine=affine, names=names)
            return
        for number, one in enumerate(values, start=1):
            own = name if len(values) == 1 else f"{name}_{number}"
            content = nib.Nifti1Image(one, affine).to_bytes()  # type: ignore[attr-defined]
            packed = gzip.compress(content, mtime=0) if self.extension.endswith(".gz") else content
            write_bytes(self._free(own), packed, durable=False)

    def _free(self, name: str) -> Path:
        path = self.output_dir / f"{name}{self.extension}"
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is in the place of a mask; move it elsewhere")
        return path

    def _series(self, first: str) -> tuple[str, list[str]]:
        """Uid and ordered files of the series whose first slice this is."""
        if not self._known:
            for series in read_index(Path(self.dataset_dir).expanduser()).series.values():
                paths = [one.path for one in series.ordered()]
                self._known[paths[0]] = (series.uid, paths)
        return self._known[first]
