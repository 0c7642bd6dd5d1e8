"""Pixels and geometry of a series are those of the same volume as NIfTI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scripts.data.dicom.index import read_index
from scripts.data.dicom.reading import read_series
from scripts.data.volumes import read_volume, upright
from scripts.errors import InputError
from tests.data.dicom.series import write_series


def paths(folder: Path, uid: str) -> list[str]:
    return [one.path for one in read_index(folder).series[uid].ordered()]


def test_values_are_rescaled_and_lie_where_the_header_says(known: Any, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(known.values.astype(np.float32), known.affine), tmp_path / "same.nii.gz")
    found, same = upright(read_series(paths(known.folder, known.uid))), upright(read_volume(tmp_path / "same.nii.gz"))
    np.testing.assert_allclose(found.affine, same.affine, atol=1e-4)
    np.testing.assert_allclose(found.values, same.values, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_other_axes_are_turned_alike(tmp_path: Path, axis: int) -> None:
    """Sagittal, coronal and axial stacks of one volume are one volume."""
    values = np.random.default_rng(1).integers(0, 900, (7, 8, 9)).astype(float)
    order = [(0, 1, 2), (1, 2, 0), (2, 0, 1)][axis]
    affine = np.diag([1.0, 1.5, 2.0, 1.0])
    turned = np.eye(4)
    turned[:3, :3] = affine[:3, :3][:, order]
    uid = write_series(tmp_path / "dicom", values.transpose(order), turned, patient="1")
    found = upright(read_series(paths(tmp_path / "dicom", uid)))
    np.testing.assert_allclose(found.values[0], values)
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def test_one_slice(tmp_path: Path) -> None:
    uid = write_series(tmp_path / "dicom", np.full((5, 4, 1), 7.0), np.diag([1.0, 1.0, 5.0, 1.0]), patient="1")
    assert read_series(paths(tmp_path / "dicom", uid)).values.shape == (1, 5, 4, 1)


def test_a_file_that_was_cut_short_is_named(known: Any) -> None:
    first = paths(known.folder, known.uid)[0]
    Path(first).write_bytes(Path(first).read_bytes()[:-100])
    with pytest.raises(InputError) as found:
        read_series(paths(known.folder, known.uid))
    assert first in str(found.value)
    assert "\n" not in str(found.value)
