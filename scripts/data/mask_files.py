"""Masks on disk, each of its image's kind: a PNG for a picture, a NIfTI file for a volume."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.transforms import SaveImaged
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from PIL import Image, PngImagePlugin
from scripts.data.image_folder import MASK_SUFFIXES, check_extension, listing, mask_names
from scripts.data.picture_input import FILE_NAME
from scripts.data.volumes import is_volume
from scripts.errors import InputError
from scripts.files import write_bytes

MARK = "mask written by infer"  # stands in each mask: a file without it is of somebody else and is not replaced

# What Pillow and nibabel raise for a file that is damaged or of another kind: it is no mask of ours, and is kept.
UNREADABLE = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError, SyntaxError),
    *(struct.error, zlib.error, Image.DecompressionBombError, ImageFileError, HeaderDataError),
)


class SaveMaskd(SaveImaged):
    """Write the masks of a folder's images below `output_dir`; MONAI Label leaves out every `SaveImaged`.

    The mask of a picture is a PNG with 0 and 255 that lies on the picture as viewers show it: where the file carries an
    orientation tag, the mask is stored upright and carries none. The mask of a NIfTI file has its shape, its affine and
    the values 0 and 1 (uint8). Two images of one name keep their suffix in the names of their masks. A mask appears
    whole or not at all, and replaces nothing but an earlier mask.

    Args:
        dataset_dir: folder of the images; subfolders are kept.
        output_ext: .png, .nii.gz or .nii for the images of that kind; empty, or of the other kind: .png or .nii.gz.
        output_postfix: what the name of a mask ends in.
        numbered: whether a mask holds the numbers of several structures, which are written as they are.
        structures: that may overlap: each has a file of its own then, whose name ends in its number.

    Raises:
        InputError: another suffix, a postfix that is no part of a file name, or a place that is taken.
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
        super().__init__(keys, output_dir=output_dir, output_ext=".png", output_dtype=np.uint8, print_log=False)
        if any(sign in str(output_postfix) for sign in "/\\\0"):
            raise InputError(f"output_postfix: '{output_postfix}' must be part of a file name, without / and \\")
        self.dataset_dir, self.output_dir = dataset_dir, Path(output_dir).expanduser()
        self.extension, self.postfix = self._extension(output_ext), str(output_postfix)
        self.numbered = bool(numbered)
        self.structures = 1 if self.numbered else int(structures)
        self._names: dict[str, list[Path]] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        for key in self.key_iterator(record):
            mask = record[key]
            values = mask.as_tensor() if hasattr(mask, "as_tensor") else torch.as_tensor(mask)
            if len(values) != self.structures:
                raise InputError(
                    f"out_channels: the network answers for {len(values)} structures, where {self.structures} are"
                    " written; take configs/inference_multiclass.yaml on top where they exclude one another, else"
                    " configs/inference_multilabel.yaml"
                )
            self._write(values.cpu().numpy().astype(np.uint8), mask.meta)
        return record

    def _extension(self, given: str) -> str:
        """The suffix that was asked for, after checking that it holds a mask; empty: by the image's kind."""
        return check_extension(given)

    def _write(self, masks: np.ndarray, meta: Mapping[str, Any]) -> None:
        """Write the masks (S, ...) of one image.

        Args:
            meta: of the image: its path.
        """
        source = str(meta[FILE_NAME])
        for name, one in zip(self._named(source), masks, strict=True):
            path = self.output_dir / name
            if is_volume(source):
                content = _volume(one, path, source)
            else:
                content = _picture(one if self.numbered else one * np.uint8(255))
            write_bytes(path, content, durable=False)

    def _named(self, source: str) -> list[Path]:
        """Known from the whole folder: whether a name is taken depends on the images beside it."""
        if not self._names:
            images = listing(self.dataset_dir, output_dir=self.output_dir).images
            names = mask_names(images, dataset_dir=self.dataset_dir, postfix=self.postfix, extension=self.extension)
            self._names = {path: self._of_each(name) for path, name in names.items()}
            _check_places(self.output_dir, [name for own in self._names.values() for name in own])
        return self._names[source]

    def _of_each(self, name: Path) -> list[Path]:
        """The file of each structure."""
        if self.structures == 1:
            return [name]
        suffix = next(end for end in MASK_SUFFIXES[True] + MASK_SUFFIXES[False] if name.name.endswith(end))
        stem = name.name[: -len(suffix)]
        return [name.with_name(f"{stem}_{number}{suffix}") for number in range(1, self.structures + 1)]


def _check_places(folder: Path, names: Collection[Path]) -> None:
    """Refuse, before the first mask is written, a place that cannot be written to or is of somebody else.

    Raises:
        InputError: names the place.
    """
    folders = {parent for name in names for parent in name.parents}
    for name in folders | {Path(".")}:
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            raise InputError(f"output_dir: {folder / name} is a file, where a folder is needed; name another folder")
    for name in names:
        if name in folders:
            raise InputError(f"{folder / name}: would be a mask and a folder of masks; give another output_postfix")
        if os.path.lexists(folder / name) and not is_earlier_mask(folder / name):
            raise InputError(
                f"{folder / name}: is there already and is no mask of an earlier run; name another output_dir"
            )


def is_earlier_mask(path: Path) -> bool:
    """Whether the file carries our mark, or is empty; a link is of somebody else, wherever it leads."""
    if path.is_symlink() or not path.is_file():
        return False
    if not path.stat().st_size:
        return True
    try:
        if is_volume(path):
            return nib.load(path).header["descrip"].item() == MARK.encode()  # type: ignore[index]
        with Image.open(path) as picture:
            return picture.info.get("Comment") == MARK
    except UNREADABLE:
        return False


def _picture(mask: np.ndarray) -> bytes:
    """Mask (W, H) as a grey PNG, rows first."""
    stream, mark = io.BytesIO(), PngImagePlugin.PngInfo()
    mark.add_text("Comment", MARK)
    Image.fromarray(np.ascontiguousarray(mask.T)).save(stream, format="PNG", pnginfo=mark)
    return stream.getvalue()


def _volume(mask: np.ndarray, path: Path, source: str) -> bytes:
    """Mask (X, Y, Z) with the shape, affine and kind of space of its image."""
    image = nib.load(source)
    written = nib.Nifti1Image(mask.reshape(image.shape[:3]), image.affine)  # type: ignore[attr-defined]
    codes = {name: int(image.header[f"{name}_code"]) for name in ("sform", "qform")}  # type: ignore[index]
    written.set_sform(image.affine, code=codes["sform"] or 1)  # type: ignore[attr-defined]
    written.set_qform(image.affine, code=codes["qform"])  # type: ignore[attr-defined]
    return nifti_bytes(written, path)


def nifti_bytes(mask: nib.Nifti1Image, path: Path) -> bytes:
    """A mask as its file holds it, with our mark."""
    mask.header["descrip"] = MARK
    content = mask.to_bytes()
    return gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
