"""MR slices for undersampled reconstruction: files `<anatomy>_slices.npz` of magnitude images.

Arrays `images` (n, H, W), `subject` (n,), and where known `contrast`, `slice`. k-space is made of them by Fourier
transform: it has no phase and no coils, and overstates how well an image can be reconstructed. A subject is a patient.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform, Transform
from scripts.data.notices import notice
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.errors import InputError

ENDING = "_slices.npz"
MASKS = ("equispaced", "random")


class Mri(DataSource):
    """The slices of every anatomy; a request for a class names one of them.

    Args:
        dataset_dir: folder of the files.
        undersampling: how columns of k-space are left out: equispaced or random, beside the centre.
        acceleration: times that fewer columns are kept, above 1.
        center_fraction: share of the columns about the centre that are always kept.
    """

    name = "mri"
    task = "reconstruction"
    unit = "patient"
    channels = 1
    spatial_dims = 2
    classes = ("image",)

    def __init__(
        self,
        *,
        dataset_dir: str | Path | None,
        undersampling: str = "equispaced",
        acceleration: float = 4.0,
        center_fraction: float = 0.08,
    ) -> None:
        self.folder = data_folder(dataset_dir, self.name)
        if undersampling not in MASKS:
            raise InputError(f"undersampling: '{undersampling}' is not one of {', '.join(MASKS)}")
        if center_fraction * acceleration >= 1:
            raise InputError(
                f"center_fraction: {center_fraction} alone is more than acceleration: {acceleration} leaves; their"
                " product must be below 1"
            )
        self.undersampling, self.acceleration = undersampling, float(acceleration)
        self.center_fraction = float(center_fraction)
        files = sorted(self.folder.glob(f"*{ENDING}"))
        if not files:
            raise InputError(f"{self.folder}: no file <anatomy>{ENDING}, such as brain{ENDING}")
        self.images: dict[str, np.ndarray] = {}
        records: list[Record] = []
        for path in files:
            records += self._of_file(path)
        self._records = checked_records(records, where=self.folder)
        notice("k-space is simulated from magnitude images: figures overstate what a scanner's data would give")

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        return [TakeSliced(self.images)]

    def resized(self) -> list[Callable[[Record], Record]]:
        return [Undersampled(self.undersampling, self.acceleration, self.center_fraction)]

    def _of_file(self, path: Path) -> list[Record]:
        anatomy = path.name.removesuffix(ENDING)
        content = _read(path)
        images = content["images"].astype(np.float32)
        self.images[anatomy] = images / max(float(images.max()), 1.0)
        found = []
        for index, subject in enumerate(content["subject"].tolist()):
            digest = hashlib.sha256(content["images"][index].tobytes()).hexdigest()[:16]
            name = f"{anatomy}-{subject}-{index:04d}"
            key = f"{anatomy}:{index}:{digest}"
            # Its mask follows from its name, and not from the order in which images are drawn.
            found.append(
                {"image": key, "label": key, "image_id": name, "patient_id": str(subject), "diagnosis": anatomy}
            )
        return found


class TakeSliced(MapTransform):
    """Replace the key of a slice by its intensities in 0..1, (1, H, W), as image and as label."""

    def __init__(self, images: Mapping[str, np.ndarray]) -> None:
        super().__init__(keys=("image", "label"))
        self.images = images

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        anatomy, index, _ = str(record["image"]).split(":")
        taken = torch.as_tensor(self.images[anatomy][int(index)])[None]
        return {**record, "image": taken, "label": taken.clone()}


class Undersampled(Transform):
    """The image that the kept columns of its k-space give, |F^-1 M F x|; the label stays the whole image.

    Args:
        kind: equispaced or random, MONAI's masks.
        acceleration, center_fraction: see `Mri`.
    """

    def __init__(self, kind: str, acceleration: float, center_fraction: float) -> None:
        from monai.apps.reconstruction.transforms.array import EquispacedKspaceMask, RandomKspaceMask

        own = EquispacedKspaceMask if kind == "equispaced" else RandomKspaceMask
        about = {"center_fractions": [center_fraction], "accelerations": [acceleration], "spatial_dims": 2}
        self.make_mask = partial(own, **about)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        from monai.data.fft_utils import fftn_centered

        record = dict(data)
        image = torch.as_tensor(record["image"]).float()
        parts = torch.stack([image, torch.zeros_like(image)], -1)
        seed = int.from_bytes(hashlib.sha256(str(record["image_id"]).encode()).digest()[:4], "big")
        # One of its own each time: images are prepared by several threads, which would draw from one state.
        mask = self.make_mask().set_random_state(seed)
        _, magnitude = mask(fftn_centered(parts, spatial_dims=2, is_complex=True))
        record["image"] = torch.as_tensor(magnitude).reshape(image.shape).float()
        return record


def _read(path: Path) -> dict[str, np.ndarray]:
    """Images and subjects of a file.

    Raises:
        InputError: it is damaged, or an array is missing or does not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{path}: not a readable npz file of plain arrays ({error})") from error
    for name in ("images", "subject"):
        if name not in arrays:
            raise InputError(f"{path}: '{name}' is missing; needed are images (n, H, W) and subject (n,)")
    images, subjects = arrays["images"], arrays["subject"]
    if images.ndim != 3 or not len(images) or subjects.shape != (len(images),) or np.iscomplexobj(images):
        raise InputError(
            f"{path}: images {images.dtype} {images.shape}, subject {subjects.shape}; needed are magnitudes (n, H, W)"
            " and a subject for each"
        )
    if not np.isfinite(images.astype(np.float64)).all() or images.min() < 0:
        raise InputError(f"{path}: images hold values that are negative or no numbers; magnitudes are needed")
    return arrays
