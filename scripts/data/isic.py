"""ISIC Task 1: dermoscopy images and lesion masks, in the official folders of 2016, 2017 or 2018.

Gutman et al., arXiv:1605.01397; Codella et al., arXiv:1710.05006 and arXiv:1902.03368.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scripts.data.image_folder import is_hidden
from scripts.data.isic_files import SEGMENTATION, Part, by_plain_id, find_year, pictures, plain_id
from scripts.data.isic_metadata import group, read_diagnoses, read_metadata
from scripts.data.loading import LoadMask, LoadPicture
from scripts.data.notices import counted, notice
from scripts.data.pictures import check_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.errors import InputError


class Isic(DataSource):
    """Grouped by patient or lesion where a CSV in the folder has the ids (`labels.csv`, `*_metadata.csv`)."""

    name = "isic"
    channels = 3
    classes = ("lesion",)

    def __init__(self, *, dataset_dir: str | Path | None, channels: int | None = None) -> None:
        self.folder = data_folder(dataset_dir, self.name)
        self.channels = 3 if channels is None else check_channels(channels)
        self._records, self.unit = self._read()

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        return [LoadPicture(channels=self.channels), LoadMask()]

    def _read(self) -> tuple[list[Record], str]:
        parts = find_year(self.folder, SEGMENTATION)
        records = [record for part, truth in parts for record in self._part(part, truth)]
        records = checked_records(records, where=self.folder)
        metadata = read_metadata([self.folder, *(self.folder / part.images for part, _ in parts)], records)
        known = by_plain_id(record["image_id"] for record in records)
        for path in sorted(self.folder.glob("*_Part3_GroundTruth.csv")):
            for image_id, diagnosis in read_diagnoses(path).items():
                image_id = known.get(plain_id(image_id), image_id)
                metadata.setdefault(image_id, {}).setdefault("diagnosis", diagnosis)
        return records, group(records, metadata)

    def _part(self, part: Part, truth: Path) -> list[Record]:
        masks = {path.stem.lower(): path for path in truth.iterdir() if path.suffix.lower() == ".png"}
        images = pictures(self.folder / part.images)
        named = {f"{image_id}_segmentation".lower() for image_id in images}
        lost = [path.name for stem, path in masks.items() if stem not in named and not is_hidden(path.name)]
        if lost:
            notice(f"{truth}: {len(lost)} masks have no image in {part.images}: {counted(sorted(lost))}")
        records = []
        for image_id, path in images.items():
            # `_Segmentation.png` in 2016, `_segmentation.png` later
            mask = masks.get(f"{image_id}_segmentation".lower())
            if mask is None:
                raise InputError(f"{path}: mask {image_id}_segmentation.png is missing in {truth}")
            record: Record = {"image": str(path), "label": str(mask), "image_id": image_id}
            records.append(record if part.split == "train" else {**record, "split": part.split})
        return records
