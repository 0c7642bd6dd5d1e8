"""The one reader of NIfTI files: axes by the header, values finite, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from scripts.errors import InputError

VOLUMES = (".nii", ".nii.gz")
TOLERANCE = 0.25  # voxels by which the grids of an image and its mask may lie apart: rounding in headers is below .01


def is_volume(path: str | Path) -> bool:
    """Whether the file name is that of a NIfTI file."""
    return str(path).lower().endswith(VOLUMES)


@dataclass(frozen=True)
class Volume:
    """Values (C, X, Y, Z) of a NIfTI file, the affine (4, 4) from their voxel axes to mm, and the file's path."""

    values: np.ndarray
    affine: np.ndarray
    path: str

    @property
    def grid(self) -> tuple[int, ...]:
        return self.values.shape[1:]

    def extent(self, *, spatial_dims: int) -> np.ndarray:
        """Length of the grid along each axis, mm: of three axes, or of the two that `in_dims` leaves."""
        lengths = np.array(self.grid) * np.linalg.norm(self.affine[:3, :3], axis=0)
        return lengths if spatial_dims == 3 else np.delete(lengths, _single(self.values.shape)[0] - 1)


def read_volume(path: str | Path, *, channels: int | None = None) -> Volume:
    """A NIfTI file as stored: float32 (C, X, Y, Z). A fourth axis of the file, or a fifth, holds channels.

    Args:
        channels: that it must have; None takes any.

    Raises:
        InputError: the file cannot be read, holds colours, complex or non-finite values, or other channels.
    """
    image = _loaded(path)
    values = _values(image, path)
    while values.ndim < 3:
        values = values[..., None]
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[..., 0, :]
    if values.ndim > 4 or not values.size:
        raise InputError(f"{path}: shape {tuple(image.shape)}; allowed are two or three axes, and one of channels")
    values = values[None] if values.ndim == 3 else np.moveaxis(values, -1, 0)
    if channels is not None and values.shape[0] != channels:
        raise InputError(f"{path}: {values.shape[0]} channels where in_channels is {channels}")
    return Volume(values, np.asarray(image.affine, float), str(path))


def volume_header(path: str | Path) -> tuple[tuple[int, ...], int]:
    """Spatial shape and channels of a file, without reading its values."""
    shape = _loaded(path).shape
    return shape[:3], int(shape[-1]) if len(shape) > 3 else 1


def upright(volume: Volume) -> Volume:
    """The same voxels with axes turned and ordered to lie closest to left-right, back-front, foot-head (RAS).

    Values do not change, only their order, so that files of one patient position look alike however they are stored.
    """
    turn = orientation(volume.affine, path=volume.path)
    values = np.stack([apply_orientation(channel, turn) for channel in volume.values])
    affine = volume.affine @ inv_ornt_aff(turn, volume.grid)
    return Volume(np.ascontiguousarray(values), affine, volume.path)


def turned_back(values: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The inverse of `upright` for values (C, X, Y, Z): from axes close to RAS to those of the file.

    Args:
        turn: `orientation` of the file.
    """
    order = np.argsort(turn[:, 0])
    stored = values.transpose(0, *(1 + np.argsort(order)))
    reversed_axes = tuple(axis + 1 for axis in range(3) if turn[axis, 1] < 0)
    return np.ascontiguousarray(np.flip(stored, reversed_axes))


def orientation(affine: np.ndarray, *, path: str | Path) -> np.ndarray:
    """For each voxel axis the anatomical axis that it lies closest to, and whether it is reversed: (3, 2).

    Raises:
        InputError: the affine is not finite or maps the volume onto a plane.
    """
    # Of axes of length one, so that the voxels of a microscope are none too small.
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (np.isfinite(affine).all() and lengths.all() and abs(np.linalg.det(affine[:3, :3] / lengths)) > 1e-6):
        raise InputError(f"{path}: the affine of its header does not describe a grid in space")
    return io_orientation(affine)


def check_same_grid(mask: Volume, image_affine: np.ndarray, image_grid: tuple[int, ...], *, image: str) -> None:
    """Refuse a mask whose voxels do not lie on those of its image.

    Raises:
        InputError: another shape, or a corner is further than `TOLERANCE` voxels off.
    """
    _compare_grids(mask.path, Grid(mask.grid, mask.affine), Grid(tuple(image_grid), image_affine), image=image)


def _compare_grids(path: str, mask: Grid, own: Grid, *, image: str) -> None:
    if mask.lengths != own.lengths:
        raise InputError(
            f"{path}: mask size {mask.lengths} differs from image size {own.lengths} of {image}, both turned to the"
            " same axes"
        )
    corners = np.stack(np.meshgrid(*[(0, length - 1) for length in own.lengths], [1], indexing="ij"), -1).reshape(-1, 4)
    apart = np.abs(corners @ (mask.affine - own.affine).T)[:, :3].max()
    voxel = np.linalg.norm(own.affine[:3, :3], axis=0).min()
    if not apart <= TOLERANCE * voxel:
        raise InputError(f"{path}: by the headers the mask lies {apart:.3g} mm beside its image {image}")


def check_pair(images: Sequence[str], masks: Sequence[str], *, turned: bool) -> None:
    """Refuse, by their headers, NIfTI files of one record that cannot be brought together; other files pass.

    Args:
        turned: whether what loads them turns them to the same axes.

    Raises:
        InputError: colours or complex values; a mask on another grid than its image, or with its axes stored in another
            order where nothing turns them.
    """
    paths = [*images, *masks]
    if not paths or not all(map(is_volume, paths)):
        return
    grids = [_grid(path) for path in paths]
    for path, other in zip(paths[1:], grids[1:], strict=True):
        _compare_grids(path, other.upright(path), grids[0].upright(paths[0]), image=paths[0])
        own, first = (orientation(one.affine, path=path) for one in (other, grids[0]))
        if not turned and not np.array_equal(own, first):
            axes = ["".join(nib.aff2axcodes(one.affine)) for one in (other, grids[0])]  # type: ignore[attr-defined]
            raise InputError(
                f"{path}: is stored along {axes[0]}, its image {paths[0]} along {axes[1]}, and no transform turns them;"
                " turn them to the same axes (Orientationd), or store both alike"
            )


@dataclass(frozen=True)
class Grid:
    """Voxels along three axes, and the affine (4, 4) from them to mm."""

    lengths: tuple[int, ...]
    affine: np.ndarray

    def upright(self, path: str) -> Grid:
        """The same grid with axes turned as `upright` turns those of a volume."""
        turn = orientation(self.affine, path=path)
        lengths = tuple(self.lengths[axis] for axis in np.argsort(turn[:, 0]))
        return Grid(lengths, self.affine @ inv_ornt_aff(turn, self.lengths))


def _grid(path: str) -> Grid:
    """Of a file; refused where its values are colours or complex."""
    image = _loaded(path)
    _refuse_kind(image, path)
    return Grid((*image.shape, 1, 1)[:3], np.asarray(image.affine, float))


def in_dims(values: np.ndarray, *, spatial_dims: int, path: str | Path) -> np.ndarray:
    """(C, X, Y, Z) as (C, X, Y) where a slice is asked for: its axis of length one is left out.

    Raises:
        InputError: the file has more or fewer axes than the network.
    """
    if spatial_dims == 3:
        return values
    single = _single(values.shape)
    if not single:
        raise InputError(
            f"{path}: shape {values.shape[1:]} where 2 spatial dimensions are asked for; a volume needs a network with"
            " spatial_dims 3"
        )
    return values.squeeze(single[0])


def _single(shape: tuple[int, ...]) -> list[int]:
    """Axes of length one of (C, X, Y, Z), the last first."""
    return [axis for axis in (3, 2, 1) if shape[axis] == 1]


def _loaded(path: str | Path) -> nib.Nifti1Image:
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        image = nib.load(path)
    except Exception as error:  # A damaged header can raise nearly anything; the operator must read the file's name.
        reason = str(error).strip().splitlines() or ["unknown format"]
        raise InputError(f"{path}: not a readable NIfTI file: {reason[-1]}") from error
    if not isinstance(image, nib.Nifti1Image):  # NIfTI-2 is one too; files of surfaces (CIFTI-2) have the same suffix
        raise InputError(f"{path}: holds no volume ({type(image).__name__}); allowed are NIfTI files of voxels")
    return image


def _refuse_kind(image: nib.Nifti1Image, path: str | Path) -> None:
    kind = image.get_data_dtype()
    if kind.fields is not None:
        raise InputError(f"{path}: holds colours (type {', '.join(kind.names or ())}); save it with one value a voxel")
    if kind.kind not in "iufb":
        raise InputError(f"{path}: holds values of type {kind}; allowed are real numbers")


def _values(image: nib.Nifti1Image, path: str | Path) -> np.ndarray:
    _refuse_kind(image, path)
    try:
        with np.errstate(over="ignore"):
            values = np.asarray(image.dataobj).astype(np.float32)
    except Exception as error:  # As above: a file that is cut short or packed badly.
        reason = str(error).strip().splitlines() or ["unknown format"]
        raise InputError(f"{path}: not a readable NIfTI file: {reason[-1]}") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds values that are not finite (NaN, infinite or beyond 32 bits)")
    return values
