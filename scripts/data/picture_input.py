"""Files of any size to what a trained network takes, and its answer back onto the file's own pixels.

For inference alone: training reads data sets through `scripts.data.loading`. Here the steps are MONAI's `LoadImaged`
and invertible transforms, because MONAI Label replaces the first and the post-processing undoes the others. The
numbers that reach the network are the same (tests/data/test_picture_input.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor, PILReader
from monai.transforms import InvertibleTransform, LoadImaged, MapTransform, Resize
from monai.utils import TraceKeys
from PIL import Image

from scripts.data.loading import PICTURES, SIXTEEN_BIT, VOLUMES
from scripts.errors import InputError

FILE_NAME = "filename_or_obj"


def images_in(dataset_dir: str | Path) -> list[dict[str, str]]:
    """One entry {image, filename_or_obj} per picture or NIfTI file of a folder, subfolders included, sorted by path.

    Raises:
        InputError: no such folder, or no image in it.
    """
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --dataset_dir must name a folder of images")
    found = sorted(str(path) for path in folder.rglob("*") if path.name.lower().endswith(PICTURES + VOLUMES))
    if not found:
        raise InputError(f"{folder}: no images found; allowed are {', '.join(PICTURES + VOLUMES)}")
    return [{"image": path, FILE_NAME: path} for path in found]


def _grey(image: Image.Image) -> Image.Image:
    return image if image.mode in ("L", "F", *SIXTEEN_BIT) else image.convert("L")


def _colour(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


class PictureReader(PILReader):
    """Pillow's pictures as grey (1 channel) or RGB (3): palettes resolved, alpha dropped. Axes (W, H)."""

    def __init__(self, channels: int) -> None:
        super().__init__(converter=_grey if channels == 1 else _colour)

    def verify_suffix(self, filename: Sequence[Any] | Any) -> bool:
        """Also TIFF, which MONAI leaves to ITK."""
        names = [filename] if isinstance(filename, str | Path) else filename
        return all(str(name).lower().endswith(PICTURES) for name in names)


class ReadImaged(LoadImaged):
    """`LoadImaged` for pictures and NIfTI files; a file that cannot be read is one line that names it."""

    def __init__(self, keys: str | Sequence[str] = "image", *, channels: int = 1) -> None:
        super().__init__(keys, reader=PictureReader(channels), image_only=True)

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        try:
            return super().__call__(data, reader)
        except (RuntimeError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            names = ", ".join(str(data.get(key)) for key in self.keys)
            raise InputError(f"{names}: not a readable image") from error


def _is_picture(image: torch.Tensor) -> bool:
    """Whether the file was a picture; a tensor that came from no file counts as one."""
    name = image.meta.get(FILE_NAME, "") if isinstance(image, MetaTensor) else ""
    return not str(name).lower().endswith(VOLUMES)


class PictureLevelsd(MapTransform):
    """Pictures to float32 in 0..1 (8 or 16 bit); a NIfTI file keeps its values."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key].float()
            record[key] = image / (65535.0 if image.max() > 255 else 255.0) if _is_picture(image) else image
        return record


class NetworkGridd(MapTransform, InvertibleTransform):
    """(C, W, H) of a picture to (C, H', W') of the network; the inverse takes a prediction back.

    Rows first, as in training; down by area, as in training; back up bilinearly, so that a mask is smooth on the
    file's own pixels. A NIfTI file keeps its axes.

    Args:
        keys: images, channel first.
        image_size: pixels along every axis, or along each.
        spatial_dims: 2 or 3.
    """

    def __init__(
        self, keys: str | Sequence[str] = "image", *, image_size: int | Sequence[int], spatial_dims: int = 2
    ) -> None:
        super().__init__(keys)
        self.spatial_dims = spatial_dims
        size = (image_size,) * spatial_dims if isinstance(image_size, int) else tuple(image_size)
        if len(size) != spatial_dims or min(size) < 1:
            raise InputError(f"image_size: {list(size)} does not fit {spatial_dims} spatial dimensions")
        self.resize = Resize(spatial_size=size, mode="area")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            while image.ndim > self.spatial_dims + 1 and image.shape[-1] == 1:
                image = image[..., 0]
            if image.ndim != self.spatial_dims + 1:
                name = image.meta.get(FILE_NAME, key) if isinstance(image, MetaTensor) else key
                shape = tuple(image.shape[1:])
                raise InputError(f"{name}: shape {shape} where {self.spatial_dims} spatial dimensions are asked for")
            swapped = self.spatial_dims == 2 and _is_picture(image)
            plain = image.as_tensor() if isinstance(image, MetaTensor) else torch.as_tensor(image)
            plain = plain.transpose(1, 2) if swapped else plain
            resized = torch.as_tensor(self.resize(plain.contiguous()))
            if isinstance(image, MetaTensor):
                resized = MetaTensor(resized, meta=image.meta, applied_operations=image.applied_operations)
            record[key] = resized
            self.push_transform(record, key, extra_info={"size": tuple(plain.shape[1:]), "swapped": swapped})
        return record

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            done = self.pop_transform(record, key)[TraceKeys.EXTRA_INFO]
            mode = "bilinear" if self.spatial_dims == 2 else "trilinear"
            size = tuple(int(length) for length in done["size"])
            answer = torch.nn.functional.interpolate(
                record[key].as_tensor().float()[None], size=size, mode=mode, align_corners=False
            )[0]
            answer = answer.transpose(1, 2).contiguous() if done["swapped"] else answer
            record[key] = MetaTensor(answer, meta=record[key].meta, applied_operations=record[key].applied_operations)
        return record


class NoMetadatad(MapTransform):
    """Plain tensors, and none of the metadata that travels beside them."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = {key: value for key, value in data.items() if not str(key).endswith("_meta_dict")}
        for key in self.key_iterator(record):
            value = record[key]
            record[key] = value.as_tensor() if isinstance(value, MetaTensor) else value
        return record
