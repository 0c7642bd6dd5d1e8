"""ISIC diagnosis: 2017 Part 3, 2018 Task 3, 2019, `labels.csv` beside the 2018 images, or one folder per class.

Codella et al., arXiv:1710.05006 and arXiv:1902.03368; Tschandl et al., Sci. Data 5:180161, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.data.image_folder import is_hidden
from scripts.data.isic_files import CLASSIFICATION, find_year, picture_of, pictures
from scripts.data.isic_metadata import group, read_diagnoses, read_metadata
from scripts.data.loading import ClassLabel, LoadPicture
from scripts.data.pictures import check_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder, nearest_known
from scripts.errors import InputError

SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "validation", "validation": "validation", "test": "test"}


class IsicClassification(DataSource):
    """One class per image.

    Args:
        dataset_dir: the folder.
        classes: names in the order of their index; images of other classes are left out. None takes all, sorted.
    """

    name = "isic_classification"
    task = "classification"
    channels = 3

    def __init__(
        self, *, dataset_dir: str | Path | None, classes: Sequence[str] | None = None, channels: int | None = None
    ) -> None:
        self.folder = data_folder(dataset_dir, self.name)
        self.channels = 3 if channels is None else check_channels(channels)
        records, metadata_folders = self._official() if self._is_official() else (self._class_folders(), [self.folder])
        found = {record["diagnosis"] for record in records}
        for name in classes or ():
            if name not in found:
                raise InputError(f"{self.folder}: class '{name}' has no image; nearest: {nearest_known(name, found)}")
        self.classes = tuple(classes) if classes else tuple(sorted(found))
        records = [record for record in records if record["diagnosis"] in self.classes]
        for record in records:
            record["label"] = self.classes.index(record["diagnosis"])
        self._records = checked_records(records, where=self.folder)
        self.unit = group(self._records, read_metadata(metadata_folders, self._records))

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        return [LoadPicture(channels=self.channels), ClassLabel()]

    def _is_official(self) -> bool:
        return any((self.folder / parts[0].images).is_dir() for parts in CLASSIFICATION.values())

    def _official(self) -> tuple[list[Record], list[Path]]:
        records: list[Record] = []
        parts = find_year(self.folder, CLASSIFICATION)
        for part, truth in parts:
            files = pictures(self.folder / part.images)
            for image_id, diagnosis in read_diagnoses(truth).items():
                path = picture_of(image_id, files, where=str(truth))
                records.append(_record(path, path.stem, diagnosis, part.split))
        return records, [self.folder, *(self.folder / part.images for part, _ in parts)]

    def _class_folders(self) -> list[Record]:
        """`CLASS/image.jpg`, or `train|val|test/CLASS/image.jpg`."""
        folders = _folders(self.folder)
        records = []
        for folder in folders:
            split = SPLIT_FOLDERS.get(folder.name.lower())
            for kind in _folders(folder) if split else [folder]:
                records += [_record(path, key, kind.name, split or "train") for key, path in pictures(kind).items()]
        if not records:
            raise InputError(
                f"{self.folder}: neither an official ISIC layout nor one folder of images per class; see docs/README.md"
            )
        return records


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))


def _record(path: Path, image_id: str, diagnosis: str, split: str) -> Record:
    record: Record = {"image": str(path), "image_id": image_id, "diagnosis": diagnosis}
    return record if split == "train" else {**record, "split": split}
