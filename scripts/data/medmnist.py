"""MedMNIST v2 and whatever else comes in its npz layout: one class an image (Yang et al., Sci. Data 10:41, 2023).

Arrays `train_images`, `train_labels`, `val_images`, ... of one file: images (n, H, W), (n, H, W, 3) or (n, D, H, W),
labels (n, 1). There are no patient ids: an image stands for a patient, and so do copies of it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from scripts.data.loading import ClassLabel
from scripts.data.notices import notice
from scripts.data.pictures import check_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.errors import InputError

SPLITS = {"train": "", "val": "validation", "test": "test"}  # in the file -> in a record
PICTURE = 255.0  # the brightest value of a picture


class MedMnist(DataSource):
    """One npz file.

    Copies within a part belong to the same patient; a copy in a later part, validation or test, is left out, so that
    nothing is measured on what was trained on.

    Args:
        dataset_dir: folder of the file, or the file.
        medmnist: name of the set, as pneumoniamnist; empty takes the only file of the folder.
        outputs: of the network, where the labels do not show how many classes there are.
    """

    name = "medmnist"
    task = "classification"
    unit = "image"

    def __init__(
        self,
        *,
        dataset_dir: str | Path | None,
        medmnist: str = "",
        channels: int | None = None,
        outputs: int | None = None,
    ) -> None:
        self.path = _file(dataset_dir, medmnist)
        self.images, labels = _read(self.path)
        shape = self.images["train"].shape
        colours = shape[-1] if len(shape) == 4 and shape[-1] == 3 else 1
        self.spatial_dims = 3 if len(shape) == 4 and colours == 1 else 2
        if self.spatial_dims == 3 and channels not in (None, 1):
            raise InputError(f"in_channels: {channels}: the volumes of {self.path} have one channel")
        self.channels = check_channels(channels or colours) if self.spatial_dims == 2 else 1
        count = max(int(values.max()) for values in labels.values() if len(values)) + 1
        self.classes = tuple(str(number) for number in range(max(count, outputs or 0)))
        self._records = checked_records(self._made(labels), where=self.path)

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        return [TakeImaged(self.images, channels=self.channels, spatial_dims=self.spatial_dims), ClassLabel()]

    def _made(self, labels: Mapping[str, np.ndarray]) -> list[Record]:
        first: dict[str, str] = {}
        found, copies = [], 0
        for part, split in SPLITS.items():
            for index, image in enumerate(self.images[part]):
                digest = hashlib.sha256(image.tobytes()).hexdigest()
                image_id = f"{self.path.stem}-{part}-{index:05d}"
                patient = first.setdefault(digest, image_id)
                if not patient.startswith(f"{self.path.stem}-{part}-"):
                    copies += 1
                    continue
                # What it shows is part of its key: a changed pixel is another image.
                record = {"image": f"{part}:{index}:{digest[:16]}", "image_id": image_id, "patient_id": patient}
                number = int(labels[part][index])
                record |= {"label": number, "diagnosis": self.classes[number]}  # type: ignore[dict-item]
                found.append(record | ({"split": split} if split else {}))
        if copies:
            notice(f"{self.path}: {copies} images are copies of others in an earlier part and are left out")
        return found


class TakeImaged(MapTransform):
    """Replace the key of an image by its values in 0..1, float32 (C, H, W) or (1, D, H, W)."""

    def __init__(self, images: Mapping[str, np.ndarray], *, channels: int, spatial_dims: int) -> None:
        super().__init__(keys=("image",))
        self.images, self.channels, self.spatial_dims = images, channels, spatial_dims

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        part, index, _ = str(record["image"]).split(":")
        image = torch.as_tensor(self.images[part][int(index)].astype(np.float32) / PICTURE)
        if image.ndim == self.spatial_dims + 1:
            # Red, green and blue, in front; as grey their mean.
            image = image.movedim(-1, 0)
            image = image if self.channels == 3 else image.mean(0, keepdim=True)
        else:
            image = image[None].expand(self.channels, *image.shape).clone()
        record["image"] = image
        return record


def _file(dataset_dir: str | Path | None, name: str) -> Path:
    """The npz file.

    Raises:
        InputError: there is none of that name, or several and no name.
    """
    if dataset_dir and Path(dataset_dir).expanduser().is_file():
        return Path(dataset_dir).expanduser()
    folder = data_folder(dataset_dir, MedMnist.name)
    known = sorted(path.stem for path in folder.glob("*.npz"))
    if name in known:
        return folder / f"{name}.npz"
    if name or len(known) != 1:
        what = f"medmnist: '{name}' is not there" if name else "medmnist: a name is needed"
        raise InputError(f"{what}; sets in {folder}: {', '.join(known) or 'none'}")
    return folder / f"{known[0]}.npz"


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Split -> images as they are stored; split -> class of each, (n,).

    Raises:
        InputError: the file is damaged, an array is missing or does not fit, or an image has several labels.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not a readable npz file of plain arrays ({error})") from error
    images, labels = {}, {}
    for part in SPLITS:
        for name in (f"{part}_images", f"{part}_labels"):
            if name not in arrays:
                raise InputError(f"{path}: '{name}' is missing; a MedMNIST file has images and labels of {_parts()}")
        pictures, classes = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if pictures.ndim not in (3, 4) or pictures.dtype != np.uint8 or len(pictures) != len(classes):
            raise InputError(
                f"{path}: {part}_images is {pictures.dtype} {pictures.shape} with {len(classes)} labels; uint8 images"
                " (n, H, W), (n, H, W, 3) or (n, D, H, W) and as many labels are needed"
            )
        if classes.size != len(classes):
            raise InputError(f"{path}: {part}_labels is {classes.shape}: several labels an image are no classes")
        if not np.issubdtype(classes.dtype, np.integer) or (classes.size and classes.min() < 0):
            raise InputError(f"{path}: {part}_labels: class numbers from 0 are needed, found {classes.dtype}")
        images[part], labels[part] = pictures, classes.reshape(-1)
    if any(one.shape[1:] != images["train"].shape[1:] for one in images.values()):
        raise InputError(f"{path}: images of the three parts differ in size")
    if not len(images["train"]):
        raise InputError(f"{path}: train_images is empty")
    return images, labels


def _parts() -> str:
    return ", ".join(SPLITS)
