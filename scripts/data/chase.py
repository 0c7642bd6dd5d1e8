"""CHASE_DB1: fundus photographs of both eyes of 14 children, vessels drawn by two observers.

Fraz et al., IEEE Trans. Biomed. Eng. 59(9), 2012. The official flat folder: `Image_01L.jpg`,
`Image_01L_1stHO.png`, `Image_01L_2ndHO.png`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from scripts.data.loading import LoadMask, LoadPicture
from scripts.data.notices import counted, notice
from scripts.data.pictures import PICTURES, check_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.errors import InputError

IMAGE = re.compile(r"Image_(\d{2})([LR])\.jpg", re.IGNORECASE)
MASK = re.compile(r"Image_\d{2}[LR]_[12](?:st|nd)HO\.png", re.IGNORECASE)
OBSERVERS = {1: "1stHO", 2: "2ndHO"}
TEST_CHILDREN = ("11", "12", "13", "14")  # the usual split: 01L..10R train, 11L..14R test


class Chase(DataSource):
    """The eyes of one child are one patient; children 11 to 14 are the test set."""

    name = "chase"
    unit = "patient"
    channels = 3
    classes = ("vessel",)

    def __init__(self, *, dataset_dir: str | Path | None, observer: int = 1, channels: int | None = None) -> None:
        self.folder = data_folder(dataset_dir, self.name)
        self.channels = 3 if channels is None else check_channels(channels)
        if str(observer) not in {str(known) for known in OBSERVERS}:
            raise InputError(f"observer: '{observer}' is not one of 1, 2")
        self.observer = int(observer)

    def records(self) -> list[Record]:
        paths = sorted(path for path in self.folder.iterdir() if path.suffix.lower() in PICTURES)
        odd = [path.name for path in paths if not (IMAGE.fullmatch(path.name) or MASK.fullmatch(path.name))]
        if odd:
            notice(f"{self.folder}: {len(odd)} pictures have no official name and are passed over: {counted(odd)}")
        found = (self._record(path, IMAGE.fullmatch(path.name)) for path in paths)
        return checked_records((record for record in found if record), where=self.folder)

    def _record(self, path: Path, name: re.Match[str] | None) -> Record | None:
        if name is None:
            return None
        mask = path.with_name(f"{path.stem}_{OBSERVERS[self.observer]}.png")
        if not mask.is_file():
            raise InputError(f"{path}: mask {mask.name} is missing")
        child = name.group(1)
        record: Record = {"image": str(path), "label": str(mask), "image_id": path.stem, "patient_id": child}
        if child in TEST_CHILDREN:
            record["split"] = "test"
        return record

    def loading(self) -> list[Callable[[Record], Record]]:
        return [LoadPicture(channels=self.channels), LoadMask()]
