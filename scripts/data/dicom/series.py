"""A series of slices as its headers describe it, and whether it is a whole volume; no pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scripts.errors import InputError

DOUBLED, UNEVEN = 0.01, 0.1  # mm; of the least distance
SAME_AXES = 1e-3  # by which two slices' directions may differ


@dataclass(frozen=True)
class Slice:
    """One file: where it lies in the patient, mm in DICOM's axes (left, back, head), and its grid."""

    path: str
    position: tuple[float, ...]
    axes: tuple[float, ...]
    grid: tuple[int, int]
    spacing: tuple[float, float]


@dataclass(frozen=True)
class Series:
    """The files of one SeriesInstanceUID.

    Attributes:
        patient, study, uid: ids as the headers have them.
        kind: modality, CT or MR and the like.
        slices: in the order of their files.
        sex, age: as the headers have them; empty where they do not say.
    """

    patient: str
    study: str
    uid: str
    kind: str
    slices: tuple[Slice, ...]
    sex: str = ""
    age: str = ""

    def ordered(self) -> tuple[Slice, ...]:
        """The slices along their normal.

        Raises:
            InputError: slices of other axes or grids among them, two at one place, or missing ones; files are named.
        """
        first = self.slices[0]
        for other in self.slices[1:]:
            if other.grid != first.grid or not np.allclose(other.axes, first.axes, atol=SAME_AXES):
                raise InputError(
                    f"{other.path}: has another grid or other axes than {first.path} of the same series, {self.uid};"
                    " a series must be one stack of slices"
                )
        normal = np.cross(first.axes[:3], first.axes[3:])
        places = [float(np.dot(one.position, normal)) for one in self.slices]
        order = np.argsort(places, kind="stable")
        self._check_distances(np.asarray(places)[order], [self.slices[place].path for place in order])
        return tuple(self.slices[place] for place in order)

    def _check_distances(self, places: np.ndarray, paths: Sequence[str]) -> None:
        apart = np.diff(places)
        if not len(apart):
            return
        if (doubled := np.flatnonzero(apart < DOUBLED)).size:
            one, other = paths[doubled[0]], paths[doubled[0] + 1]
            raise InputError(f"{other}: lies where {one} lies, in series {self.uid}: {doubled.size} doubled slices")
        usual = float(apart.min())
        steps = apart / usual
        if (uneven := np.flatnonzero(abs(steps - steps.round()) > UNEVEN)).size:
            raise InputError(
                f"{paths[uneven[0]]}: the next slice of series {self.uid} lies {apart[uneven[0]]:g} mm away, others"
                f" {usual:g} mm; a volume needs even distances"
            )
        if missing := int((steps.round() - 1).sum()):
            gap = int(np.argmax(steps))
            raise InputError(
                f"{paths[gap]}: the next slice of series {self.uid} lies {apart[gap]:g} mm away, others {usual:g} mm:"
                f" {missing} slices are missing"
            )


def checked_series(series: Series) -> dict[str, Any]:
    """Ids and paths of a series as a record has them, the files in order."""
    paths = [one.path for one in series.ordered()]
    ids = {"patient_id": series.patient, "study_id": series.study, "series_id": series.uid}
    return {**ids, "image_id": series.uid, "image": paths}
