"""Picture and volume files to checked arrays: rows first, masks binary, errors that name the file."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import ImageReader, NibabelReader, PILReader
from monai.transforms import LoadImage, MapTransform, Transform
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from PIL import Image

from scripts.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
VOLUMES = (".nii", ".nii.gz")
# what Pillow and nibabel raise for a file that is not what its name says, or not whole
BROKEN = (
    RuntimeError,
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    zlib.error,
    Image.DecompressionBombError,
    ImageFileError,
    HeaderDataError,
)
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I")


def is_volume(path: str | Path) -> bool:
    """Whether the file name is that of a NIfTI file."""
    return str(path).lower().endswith(VOLUMES)


def picture_channels(path: str | Path) -> int:
    """Channels that `LoadPicture` makes of this file: 1 for grey, 3 for everything with colour."""
    try:
        with Image.open(path) as image:
            return 1 if image.mode in ("1", "L", "LA", *SIXTEEN_BIT) else 3
    except BROKEN as error:
        raise InputError(f"{path}: not a readable image: {error}") from error


def _grey(image: Image.Image) -> Image.Image:
    """Grey levels 0..255; those of a 16-bit file keep their depth as fractions."""
    if image.mode in SIXTEEN_BIT:
        return Image.fromarray(np.asarray(image, dtype=np.float32) * np.float32(255 / 65535))
    return _bytes(image, "L")


def _colour(image: Image.Image) -> Image.Image:
    return _bytes(_grey(image) if image.mode in SIXTEEN_BIT else image, "RGB")


def _bytes(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F" and image.format is not None:
        raise ValueError("a picture of floating-point values has no known range")
    return image if image.mode == mode else image.convert(mode)


def _mask(image: Image.Image) -> Image.Image:
    """Grey levels of a mask. A palette counts by its colours where they are black and white, else by its indices."""
    if image.mode == "P":
        grey = image.convert("L")
        if {level for _, level in grey.getcolors(256) or []} <= {0, 255}:
            return grey
        return Image.fromarray(np.asarray(image), mode="L")
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image.convert("RGB") if image.mode in ("RGBA", "CMYK") else image


class FileReader:
    """MONAI's `LoadImage` with one reader; whatever goes wrong names the file."""

    def __init__(self, reader: ImageReader) -> None:
        self._load = LoadImage(image_only=True, ensure_channel_first=True)
        self._reader = reader

    def __call__(self, path: str | Path) -> torch.Tensor:
        """The file as a plain tensor, channel first."""
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file")
        try:
            # the reader given here is the only one tried: a fall-back would read with other axes
            loaded = self._load(str(path), self._reader)
        except BROKEN as error:
            reason = str(error).strip().splitlines()
            raise InputError(f"{path}: not a readable image: {reason[-1] if reason else 'unknown format'}") from error
        return loaded.as_tensor() if hasattr(loaded, "as_tensor") else torch.as_tensor(loaded)


class LoadPicture(MapTransform):
    """PNG, JPEG, BMP or TIFF to float32 (C, H, W) in 0..1.

    MONAI's PIL reader gives (W, H) unless told not to reverse the axes: here rows come first, as in every other
    tool for pictures.
    """

    def __init__(self, key: str = "image", *, channels: int = 3) -> None:
        convert = _grey if channels == 1 else _colour
        super().__init__((key,))
        self._read = FileReader(PILReader(converter=convert, reverse_indexing=False))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            record[key] = self._read(record[key]).float() / 255.0
        return record


class LoadVolume(MapTransform):
    """NIfTI to float32 (C, H, W[, D]), values as stored."""

    def __init__(self, key: str = "image", *, spatial_dims: int = 3, channels: int | None = None) -> None:
        super().__init__((key,))
        self._read = FileReader(NibabelReader())
        self.spatial_dims, self.channels = spatial_dims, channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            path = record[key]
            volume = self._read(path).float()
            while volume.ndim > self.spatial_dims + 1 and volume.shape[-1] == 1:
                volume = volume[..., 0]
            if volume.ndim != self.spatial_dims + 1:
                shape = tuple(volume.shape[1:])
                raise InputError(f"{path}: shape {shape} where {self.spatial_dims} spatial dimensions are asked for")
            if self.channels is not None and volume.shape[0] != self.channels:
                raise InputError(f"{path}: {volume.shape[0]} channels where the other images have {self.channels}")
            if not torch.isfinite(volume).all():
                raise InputError(f"{path}: holds values that are not finite")
            record[key] = volume
        return record


class LoadMask(MapTransform):
    """A mask file to float32 (1, H, W[, D]) in {0, 1}, of the image's size.

    Values {0, 1}, {0, 255} and bool are masks; anything else is refused, because a threshold would hide that the
    wrong file, or a lossy one, was given.
    """

    def __init__(self, key: str = "label", *, image_key: str = "image", spatial_dims: int = 2) -> None:
        super().__init__((key,))
        self.image_key, self.spatial_dims = image_key, spatial_dims
        self._picture = FileReader(PILReader(converter=_mask, reverse_indexing=False))
        self._volume = LoadVolume(key, spatial_dims=spatial_dims)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            path = record[key]
            if is_volume(path):
                values = self._volume({key: path})[key]
            else:
                values = self._picture(path)
            record[key] = binary_mask(values, path=path)
            image = record.get(self.image_key)
            if isinstance(image, torch.Tensor) and image.shape[1:] != record[key].shape[1:]:
                mask_size, image_size = tuple(record[key].shape[1:]), tuple(image.shape[1:])
                raise InputError(f"{path}: mask size {mask_size} differs from image size {image_size}")
        return record


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


class ClassLabel(Transform):
    """`label` of a classification record as an int64 scalar tensor."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        record["label"] = torch.tensor(int(record["label"]), dtype=torch.int64)
        return record
