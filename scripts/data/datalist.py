"""A MONAI datalist JSON: a team's own images and labels, without a line of Python.

    {"training": [{"image": "a.nii.gz", "label": "a_mask.nii.gz", "patient_id": "17"}], "validation": [], "testing": []}

or the bare list. Paths are relative to the JSON file's folder, or to `dataset_dir`, and stay inside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib

from scripts.data.loading import BROKEN, PICTURES, VOLUMES, ClassLabel, LoadMask, LoadPicture, LoadVolume, is_volume
from scripts.data.loading import picture_channels as count_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.errors import InputError

SECTIONS = {"training": None, "validation": "validation", "testing": "test", "test": "test"}
TEXT_KEYS = ("image_id", "lesion_id", "study_id", "series_id", "diagnosis", "sex", "site")
TASKS = ("segmentation", "classification")


class Datalist(DataSource):
    """Segmentation where `label` is a file, classification where it is an int.

    Args:
        datalist: the JSON file.
        dataset_dir: folder of the paths in it; empty takes the JSON file's folder.
        task: checked against the labels where given.
        classes: names of the classes; empty takes their numbers.
        spatial_dims: 2 or 3; None takes those of the first image.
    """

    name = "datalist"
    unit = "patient"

    def __init__(
        self,
        *,
        datalist: str | Path | None,
        dataset_dir: str | Path | None = None,
        task: str | None = None,
        classes: Sequence[str] | None = None,
        spatial_dims: int | None = None,
    ) -> None:
        if not datalist:
            raise InputError("data set 'datalist' needs its JSON file: give --datalist FILE")
        self.path = Path(datalist).expanduser()
        sections = _sections(self.path)
        self.folder = data_folder(dataset_dir, self.name) if dataset_dir else self.path.parent
        entries = [
            self._record(entry, split, f"{self.path}: {section}[{index}]")
            for section, split, listed in sections
            for index, entry in enumerate(listed)
        ]
        self._records = checked_records(entries, where=self.path)
        self.task = self._task(task)
        self.classes = self._classes(classes)
        self._volumes = self._kind()
        self.spatial_dims, self.channels = self._shape(spatial_dims)

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        image: Callable
        if self._volumes:
            image = LoadVolume(spatial_dims=self.spatial_dims, channels=self.channels)
        else:
            image = LoadPicture(channels=self.channels)
        return [image, LoadMask(spatial_dims=self.spatial_dims) if self.task == "segmentation" else ClassLabel()]

    def _record(self, entry: Any, split: str | None, where: str) -> Record:
        if not isinstance(entry, dict):
            raise InputError(f"{where}: must be an object with image, label and patient_id")
        for key in ("image", "label", "patient_id"):
            if entry.get(key) in (None, ""):
                raise InputError(f"{where}: '{key}' is missing; needed are image, label and patient_id")
        image = self._file(entry["image"], where)
        label = entry["label"]
        if isinstance(label, bool) or not isinstance(label, (int, str)):
            raise InputError(f"{where}: label '{label}' is neither a mask file nor a class number")
        record: Record = {
            "image": str(image),
            "label": label if isinstance(label, int) else str(self._file(label, where)),
            "image_id": str(entry["image"]).removesuffix(".gz").rsplit(".", 1)[0],
            "patient_id": str(entry["patient_id"]),
        }
        record.update({key: str(entry[key]) for key in TEXT_KEYS if entry.get(key) not in (None, "")})
        if "age" in entry:
            record["age"] = entry["age"]
        named = split or entry.get("split")
        return {**record, "split": named} if named else record

    def _file(self, name: Any, where: str) -> Path:
        """The file called `name`, inside the folder and not through a link out of it."""
        if not isinstance(name, str):
            raise InputError(f"{where}: '{name}' is not a path")
        if not name.lower().endswith((*PICTURES, *VOLUMES)):
            raise InputError(f"{where}: '{name}' is not one of {', '.join((*PICTURES, *VOLUMES))}")
        root = self.folder.resolve()
        path = self.folder / name
        if ".." in Path(name).parts or not path.resolve().is_relative_to(root):
            raise InputError(f"{where}: '{name}' leads out of {self.folder}; paths and links must stay inside it")
        if not path.is_file():
            raise InputError(f"{where}: no such file {path}")
        return path

    def _task(self, asked: str | None) -> str:
        numbers = {isinstance(record["label"], int) for record in self._records}
        if len(numbers) > 1:
            raise InputError(f"{self.path}: labels are files in some entries and class numbers in others")
        task = TASKS[numbers.pop()]
        if asked and asked not in TASKS:
            raise InputError(f"task: '{asked}' is not one of {', '.join(TASKS)}")
        if asked and asked != task:
            raise InputError(f"{self.path}: task is '{asked}', but its labels are those of {task}")
        return task

    def _classes(self, names: Sequence[str] | None) -> tuple[str, ...]:
        if self.task == "segmentation":
            return tuple(names) if names else ("foreground",)
        known = tuple(names) if names else tuple(str(i) for i in range(max(r["label"] for r in self._records) + 1))
        for record in self._records:
            if not 0 <= record["label"] < len(known):
                where = f"{self.path}: {record['image_id']}"
                raise InputError(f"{where}: label {record['label']} is not a class number from 0 to {len(known) - 1}")
            record.setdefault("diagnosis", known[record["label"]])
        return known

    def _kind(self) -> bool:
        kinds = {is_volume(record["image"]) for record in self._records}
        if len(kinds) > 1:
            raise InputError(f"{self.path}: lists both NIfTI files and pictures; give each a list of its own")
        return kinds.pop()

    def _shape(self, asked: int | None) -> tuple[int, int]:
        """Spatial dimensions and channels, from the setting and the first image."""
        if asked not in (None, 2, 3):
            raise InputError(f"spatial_dims: '{asked}' is not 2 or 3")
        first = self._records[0]["image"]
        if not self._volumes:
            if asked == 3:
                raise InputError(f"{first}: a picture has 2 spatial dimensions; spatial_dims is 3")
            return 2, count_channels(first)
        try:
            shape = nib.load(first).shape  # type: ignore[attr-defined]
        except BROKEN as error:
            raise InputError(f"{first}: not a readable NIfTI file: {error}") from error
        space = [length for length in shape[:3] if length > 1] if len(shape) >= 3 and shape[2] == 1 else shape[:3]
        return asked or len(space), shape[3] if len(shape) > 3 else 1


def _sections(path: Path) -> list[tuple[str, str | None, list[Any]]]:
    """Name, official split and entries of each list in the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such datalist file")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a JSON file: {error}") from error
    if isinstance(content, list):
        return [("list", None, content)]
    if not isinstance(content, dict) or not any(name in content for name in SECTIONS):
        raise InputError(f"{path}: must hold a list, or lists called {', '.join(SECTIONS)}")
    sections = [(name, split, content[name]) for name, split in SECTIONS.items() if name in content]
    for name, _, listed in sections:
        if not isinstance(listed, list):
            raise InputError(f"{path}: '{name}' must be a list")
    return sections
