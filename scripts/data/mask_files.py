"""Masks on disk, each of its image's kind: a PNG for a picture, a NIfTI file for a volume."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.transforms import SaveImaged
from PIL import Image

from scripts.data.image_folder import check_extension, listing, mask_names
from scripts.data.picture_input import FILE_NAME
from scripts.data.volumes import is_volume
from scripts.errors import InputError


class SaveMaskd(SaveImaged):
    """Write the masks of a folder's images below `output_dir`; MONAI Label leaves out every `SaveImaged`.

    The mask of a picture is a PNG with 0 and 255 that lies on the picture as viewers show it: where the file carries an
    orientation tag, the mask is stored upright and carries none. The mask of a NIfTI file has its shape, its affine and
    the values 0 and 1 (uint8). Two images of one name keep their suffix in the names of their masks.

    Args:
        dataset_dir: folder of the images; subfolders are kept.
        output_ext: .png, .nii.gz or .nii for the images of that kind; empty, or of the other kind: .png or .nii.gz.
        output_postfix: what the name of a mask ends in.

    Raises:
        InputError: another suffix, or a postfix that is no part of a file name.
    """

    def __init__(
        self,
        keys: str = "pred",
        *,
        dataset_dir: str,
        output_dir: str,
        output_ext: str = "",
        output_postfix: str = "mask",
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_ext=".png", output_dtype=np.uint8, print_log=False)
        if any(sign in str(output_postfix) for sign in "/\\\0"):
            raise InputError(f"output_postfix: '{output_postfix}' must be part of a file name, without / and \\")
        self.dataset_dir, self.output_dir = dataset_dir, Path(output_dir).expanduser()
        self.extension, self.postfix = check_extension(output_ext), str(output_postfix)
        self._names: dict[str, Path] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            mask = record[key]
            source = str(mask.meta[FILE_NAME])
            path = self.output_dir / self._name(source)
            path.parent.mkdir(parents=True, exist_ok=True)
            values = mask.as_tensor() if hasattr(mask, "as_tensor") else torch.as_tensor(mask)
            write = _write_volume if is_volume(source) else _write_picture
            write(values[0].cpu().numpy().astype(np.uint8), path, source=source)
        return record

    def _name(self, source: str) -> Path:
        """Known from the whole folder: whether a name is taken depends on the images beside it."""
        if not self._names:
            images = listing(self.dataset_dir, output_dir=self.output_dir).images
            self._names = mask_names(
                images, dataset_dir=self.dataset_dir, postfix=self.postfix, extension=self.extension
            )
        return self._names[source]


def _write_picture(mask: np.ndarray, path: Path, *, source: str) -> None:
    """Mask (W, H) in {0, 1} as a grey PNG with rows of black and white."""
    Image.fromarray(np.ascontiguousarray(mask.T) * np.uint8(255)).save(path)


def _write_volume(mask: np.ndarray, path: Path, *, source: str) -> None:
    """Mask (X, Y, Z) in {0, 1} with the shape, affine and kind of space of its image."""
    image = nib.load(source)
    written = nib.Nifti1Image(mask.reshape(image.shape[:3]), image.affine)  # type: ignore[attr-defined]
    codes = {name: int(image.header[f"{name}_code"]) for name in ("sform", "qform")}  # type: ignore[index]
    written.set_sform(image.affine, code=codes["sform"] or 1)  # type: ignore[attr-defined]
    written.set_qform(image.affine, code=codes["qform"])  # type: ignore[attr-defined]
    nib.save(written, path)
