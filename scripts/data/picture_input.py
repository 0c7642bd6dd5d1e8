"""Files of any size to what a trained network takes, and its answer back onto the file's own pixels.

For inference alone: training reads data sets through `scripts.data.loading`. Both use the readers of pictures.py and
volumes.py, so the numbers are the same. Here the steps are MONAI's `LoadImaged` and invertible transforms, because
MONAI Label wraps the first and the post-processing undoes the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import ImageReader, MetaTensor, list_data_collate
from monai.transforms import InvertibleTransform, LoadImaged, MapTransform, Resize
from monai.utils import TraceKeys
from scripts.data.image_folder import SUFFIXES, listing, report
from scripts.data.pictures import check_channels, read_picture
from scripts.data.sizes import axis_lengths
from scripts.data.volumes import Volume, in_dims, is_volume, orientation, read_volume, turned_back, upright
from scripts.errors import InputError

FILE_NAME = "filename_or_obj"
STACK = "stack_of_slices"  # key of the metadata of a volume whose file name does not say that it is one
IN_RANGE = "levels_in_range"  # key of the metadata of an image whose values the reader has scaled
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow has it


def images_in(dataset_dir: str | Path, output_dir: str | Path = "") -> list[dict[str, str]]:
    """One entry {image, filename_or_obj} per picture or NIfTI file of a folder, subfolders included, sorted by path.

    Hidden files, files of other kinds and the files in `output_dir` are passed over, with a printed line and a count.

    Raises:
        InputError: no such folder, no image in it, a link out of it, or an `output_dir` that holds it.
    """
    found = listing(dataset_dir, output_dir=output_dir)
    report(found, folder=dataset_dir)
    if not found.images:
        raise InputError(f"{dataset_dir}: no images found; allowed are {', '.join(SUFFIXES)}")
    return [{"image": str(path), FILE_NAME: str(path)} for path in found.images]


class FileReader(ImageReader):
    """MONAI's interface to the readers of pictures.py and volumes.py.

    A picture comes as (W, H) or (W, H, 3) in 0..1, upright as viewers show it; a volume as stored, with its affine.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def verify_suffix(self, filename: Sequence[Any] | Any) -> bool:
        names = [filename] if isinstance(filename, str | Path) else filename
        return all(str(name).lower().endswith(SUFFIXES) for name in names)

    def read(self, data: Sequence[Any] | Any, **kwargs: Any) -> Any:
        """A `Volume`, or the array (C, H, W) of a picture."""
        names = [data] if isinstance(data, str | Path) else list(data)
        if len(names) != 1:
            raise InputError(f"{', '.join(map(str, names))}: one file is one image; several at once are not understood")
        if is_volume(names[0]):
            return read_volume(names[0], channels=self.channels)
        return read_picture(names[0], channels=check_channels(self.channels))

    def get_data(self, img: Any) -> tuple[np.ndarray, dict[str, Any]]:
        volume = isinstance(img, Volume)
        planes = img.values if volume else img.transpose(0, 2, 1)
        single = planes.shape[0] == 1
        meta: dict[str, Any] = {"spatial_shape": np.asarray(planes.shape[1:]), IN_RANGE: not volume}
        meta["original_channel_dim"] = float("nan") if single else -1
        if volume:
            meta.update(affine=img.affine, original_affine=img.affine.copy())
        return planes[0] if single else np.moveaxis(planes, 0, -1), meta


class ReadImaged(LoadImaged):
    """`LoadImaged` for pictures and NIfTI files; a file that is not understood is one line that names it.

    Args:
        channels: of the network. A picture is taken as grey (1) or in colour (3); a volume must have as many.
    """

    def __init__(self, keys: str | Sequence[str] = "image", *, channels: int = 1) -> None:
        self._own = FileReader(int(channels))
        super().__init__(keys, reader=self._own, image_only=True)

    def __call__(self, data: Mapping[Hashable, Any], reader: Any = None) -> dict[Hashable, Any]:
        # Given at the call, the reader is the only one tried: MONAI would go on to others after a refusal.
        return super().__call__(data, reader or self._own)


def _name(image: torch.Tensor) -> str:
    return str(image.meta.get(FILE_NAME, "")) if isinstance(image, MetaTensor) else ""


def _is_picture(image: torch.Tensor) -> bool:
    """Whether the file was a picture; a tensor that came from no file counts as one."""
    stack = isinstance(image, MetaTensor) and image.meta.get(STACK, False)
    return not stack and not is_volume(_name(image))


class PictureLevelsd(MapTransform):
    """Float32 values as in training, also of pictures that a client sends as pixels and not as a file.

    The reader has scaled what came from a file. Whole numbers are divided by the largest of their type; other numbers
    must lie in 0..1 already. A volume keeps its values.

    Args:
        channels: of the network; None leaves the channels as they come.

    Raises:
        InputError: numbers whose range is not known.
    """

    def __init__(self, keys: str | Sequence[str] = "image", *, channels: int | None = None) -> None:
        super().__init__(keys)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            read = isinstance(image, MetaTensor) and IN_RANGE in image.meta
            if not read and _is_picture(image):
                image = self._in_channels(_scaled(torch.as_tensor(image), name=str(key)))
            record[key] = image.float()
        return record

    def _in_channels(self, image: torch.Tensor) -> torch.Tensor:
        if self.channels is None or image.shape[0] == self.channels:
            return image
        if image.shape[0] == 1:
            return image.expand(self.channels, *image.shape[1:]).clone()
        if (image.shape[0], self.channels) == (3, 1):
            return sum(share * image[i : i + 1] for i, share in enumerate(LUMINANCE))  # type: ignore[return-value]
        raise InputError(f"image: {image.shape[0]} channels where in_channels is {self.channels}")


def _scaled(image: torch.Tensor, *, name: str) -> torch.Tensor:
    if image.dtype == torch.bool:
        return image.float()
    if not image.is_floating_point() and not image.is_complex():
        return image.float() / float(torch.iinfo(image.dtype).max)
    if image.is_complex() or not bool(((image >= 0) & (image <= 1)).all()):
        raise InputError(f"{name}: holds numbers outside 0..1, whose range is not known; send 8- or 16-bit pixels")
    return image


class NetworkGridd(MapTransform, InvertibleTransform):
    """(C, W, H) of a picture to (C, H', W') of the network; the inverse takes a prediction back.

    Rows first, as in training; down by area, as in training; back up bilinearly, so that a mask is smooth on the
    file's own pixels. The axes of a NIfTI file are turned closest to RAS, as in training, and a single slice loses its
    axis of length one; the inverse gives the axes of the file back.

    Args:
        keys: images, channel first.
        image_size: pixels along every axis, or along each; None keeps those of the file.
        spatial_dims: 2 or 3.
    """

    def __init__(
        self, keys: str | Sequence[str] = "image", *, image_size: int | Sequence[int] | None, spatial_dims: int = 2
    ) -> None:
        super().__init__(keys)
        self.spatial_dims = spatial_dims
        size = axis_lengths(image_size, spatial_dims=spatial_dims, name="image_size")
        self.resize: Any = Resize(spatial_size=size, mode="area") if size else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            image = record[key]
            plain = image.as_tensor() if isinstance(image, MetaTensor) else torch.as_tensor(image)
            done: dict[str, Any] = {"grid": (), "turn": ()}
            if not _is_picture(image):
                plain, done = self._upright(plain, image)
            elif plain.ndim != self.spatial_dims + 1:
                shape = tuple(plain.shape[1:])
                name = _name(image) or key
                raise InputError(f"{name}: shape {shape} where {self.spatial_dims} spatial dimensions are asked for")
            elif self.spatial_dims == 2:
                plain = plain.transpose(1, 2)
            plain = plain.contiguous()
            resized = plain if self.resize is None else torch.as_tensor(self.resize(plain))
            if isinstance(image, MetaTensor):
                resized = MetaTensor(resized, meta=image.meta, applied_operations=image.applied_operations)
            record[key] = resized
            self.push_transform(record, key, extra_info={**done, "size": tuple(plain.shape[1:])})
        return record

    def _upright(self, plain: torch.Tensor, image: MetaTensor) -> tuple[torch.Tensor, dict[str, Any]]:
        """The volume on axes close to RAS, and what the inverse needs: its grid, and which axis went where."""
        path = _name(image)
        affine = np.asarray(image.meta["original_affine"], dtype=float)
        turned = upright(Volume(plain.numpy(), affine, path))
        values = in_dims(turned.values, spatial_dims=self.spatial_dims, path=path)
        turn = tuple(int(number) for number in orientation(affine, path=path).ravel())
        return torch.from_numpy(np.ascontiguousarray(values)), {"grid": turned.grid, "turn": turn}

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            done = self.pop_transform(record, key)[TraceKeys.EXTRA_INFO]
            mode = "bilinear" if self.spatial_dims == 2 else "trilinear"
            size, grid, turn = (tuple(int(number) for number in done[name]) for name in ("size", "grid", "turn"))
            answer = torch.nn.functional.interpolate(
                record[key].as_tensor().float()[None], size=size, mode=mode, align_corners=False
            )[0]
            if turn:
                back = turned_back(answer.reshape(-1, *grid).cpu().numpy(), np.reshape(turn, (3, 2)))
                answer = torch.from_numpy(back)
            elif self.spatial_dims == 2:
                answer = answer.transpose(1, 2).contiguous()
            record[key] = MetaTensor(answer, meta=record[key].meta, applied_operations=record[key].applied_operations)
        return record


def collated(items: Sequence[Mapping[str, Any]]) -> Any:
    """A batch of pictures and volumes: what their metadata say of the files' own axes differs, and is not needed."""
    for item in items:
        for value in item.values():
            if isinstance(value, MetaTensor):
                for key in ("spatial_shape", "original_affine"):
                    value.meta.pop(key, None)
    return list_data_collate(items)


class NoMetadatad(MapTransform):
    """Plain tensors, and none of the metadata that travels beside them."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = {key: value for key, value in data.items() if not str(key).endswith("_meta_dict")}
        for key in self.key_iterator(record):
            value = record[key]
            record[key] = value.as_tensor() if isinstance(value, MetaTensor) else value
        return record
