"""A folder of DICOM series with a mask each: a DICOM segmentation of the series, or `<SeriesInstanceUID>.nii.gz`.

What a request may name are PatientID, StudyInstanceUID and SeriesInstanceUID.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.data.ages import years
from scripts.data.dicom.index import Index, read_index
from scripts.data.dicom.reading import LoadSeries
from scripts.data.dicom.segmentation import read_segmentation
from scripts.data.dicom.series import Series, checked_series
from scripts.data.loading import LoadMask
from scripts.data.notices import counted, notice
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.data.volumes import VOLUMES
from scripts.errors import InputError
from scripts.tasks.registry import TASKS


class Dicom(DataSource):
    """The series of a folder that have a mask; the others are counted and told.

    Args:
        dataset_dir: the folder.
        task: of its masks: a segmentation.
        spatial_dims: 3, or 2 for series of one slice.
        channels: 1.
        outputs: channels of the network's answer, which say how many structures there are.
    """

    name = "dicom"
    unit = "patient"

    def __init__(
        self,
        *,
        dataset_dir: str | Path | None,
        task: str = "segmentation",
        spatial_dims: int = 3,
        channels: int | None = None,
        outputs: int | None = None,
    ) -> None:
        if channels not in (None, 1):
            raise InputError(f"in_channels: {channels}, but the slices of a DICOM series have one channel")
        if not TASKS[task].masks or TASKS[task].graded:
            raise InputError(f"task: {task}, but DICOM folders are read with masks; allowed are segmentations")
        self.folder = data_folder(dataset_dir, self.name)
        self.channels, self.spatial_dims, self.task = 1, spatial_dims, task
        count = 1 if outputs is None else TASKS[task]().classes(outputs)
        several = tuple(f"structure_{number}" for number in range(1, count + 1))
        self.classes = several if count > 1 else ("foreground",)
        index = read_index(self.folder)
        self._tell(index)
        volumes = _volumes(index.foreign)
        found = [
            self._record(series, self._mask(series, index, volumes))
            for series in index.series.values()
            if series.uid in index.masks or series.uid in volumes
        ]
        self._records = checked_records(found, where=self.folder)

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        count = len(self.classes)
        mask = LoadMask(
            spatial_dims=self.spatial_dims,
            numbered=count if TASKS[self.task].exclusive else 0,
            segmentation=read_segmentation,
            structures=count,
        )
        return [LoadSeries(spatial_dims=self.spatial_dims), mask]

    def _record(self, series: Series, mask: str) -> Record:
        record = {**checked_series(series), "label": mask}
        if series.sex:
            record["sex"] = series.sex
        if (age := years(series.age)) is not None:
            record["age"] = age
        return record

    def _mask(self, series: Series, index: Index, volumes: dict[str, str]) -> str:
        files = [*index.masks.get(series.uid, ()), *filter(None, [volumes.get(series.uid)])]
        if len(files) > 1:
            raise InputError(f"{files[1]}: is a second mask of series {series.uid}, beside {files[0]}; allowed is one")
        return files[0]

    def _tell(self, index: Index) -> None:
        volumes = _volumes(index.foreign)
        without = [uid for uid in index.series if uid not in index.masks and uid not in volumes]
        if without:
            notice(f"{self.folder}: {len(without)} series have no mask and are left out: {counted(without)}")
        if index.others:
            kinds = sorted(set(index.others.values()))
            notice(f"{self.folder}: {len(index.others)} series are no stack of slices and left out: {counted(kinds)}")


def _volumes(paths: Sequence[str]) -> dict[str, str]:
    """Name without suffix -> path of each NIfTI file."""
    found = {}
    for path in paths:
        suffix = next((end for end in reversed(VOLUMES) if path.lower().endswith(end)), None)
        if suffix is not None:
            found[Path(path).name[: -len(suffix)]] = path
    return found
