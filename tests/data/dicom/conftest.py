"""Series on disk whose values and geometry are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.data.dicom.series import write_series


@dataclass(frozen=True)
class Known:
    """A series, its values (X, Y, Z) and its affine to RAS."""

    folder: Path
    uid: str
    values: np.ndarray
    affine: np.ndarray


def oblique() -> np.ndarray:
    """Voxels of 0.8 x 1.1 x 3 mm on axes turned by 20 degrees, stored along left, back, head."""
    turn = np.deg2rad(20)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-1, -1, 1]) @ axes * [0.8, 1.1, 3.0]
    affine[:3, 3] = [40, 30, -20]
    return affine


@pytest.fixture
def known(tmp_path: Path) -> Known:
    """One series with a slope of its own."""
    values = np.random.default_rng(0).integers(0, 500, (12, 10, 6)) * 0.5 - 20
    uid = write_series(tmp_path / "dicom", values, oblique(), patient="P-01", slope=0.5, intercept=-20.0)
    return Known(tmp_path / "dicom", uid, values, oblique())
