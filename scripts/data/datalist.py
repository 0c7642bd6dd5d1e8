"""A MONAI datalist JSON: a team's own images and labels, without a line of Python.

    {"training": [{"image": "a.nii.gz", "label": "a_mask.nii.gz", "patient_id": "17"}], "validation": [], "testing": []}

or the bare list. Paths are relative to the JSON file's folder, or to `dataset_dir`, and stay inside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from scripts.data.ages import plain_age
from scripts.data.ids import checked_id, shown
from scripts.data.loading import ClassLabel, LoadMask, LoadPicture, LoadVolume
from scripts.data.notices import counted, notice
from scripts.data.pictures import PICTURES, check_channels
from scripts.data.pictures import picture_channels as count_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder
from scripts.data.volumes import VOLUMES, is_volume, volume_header
from scripts.errors import InputError

SECTIONS = {"training": None, "validation": "validation", "testing": "test", "test": "test"}
ID_KEYS = ("image_id", "lesion_id", "study_id", "series_id", "diagnosis")
TEXT_KEYS = ("sex", "site")
KNOWN_KEYS = ("image", "label", "patient_id", "age", "split", *ID_KEYS, *TEXT_KEYS)
SPLITS = ("train", "validation", "test")
MOST_CLASSES = 1000  # of a list that does not name them: a larger number is an id or a typing error
TASKS = ("segmentation", "classification")


class Datalist(DataSource):
    """Segmentation where `label` is a file, classification where it is an int.

    Args:
        datalist: the JSON file.
        dataset_dir: folder of the paths in it; empty takes the JSON file's folder.
        task: checked against the labels where given.
        classes: names of the classes; empty takes their numbers.
        spatial_dims: 2 or 3; None takes those of the first image.
        channels: of the network: how pictures are taken, and what volumes must have; None takes those of the first
            image.
        gone: gives the image ids of what was forgotten before: those entries keep their place in the list, but their
            files are not looked at and may be missing. None: nothing was.
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
        channels: int | None = None,
        gone: Callable[[Sequence[Record]], Collection[str]] | None = None,
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
        _say_unknown([entry for _, _, listed in sections for entry in listed], where=self.path)
        out = gone(entries) if gone else ()
        there = [entry for entry in entries if entry["image_id"] not in out]
        _check_files(there)
        for entry in entries:
            del entry["where"]
        self._records = checked_records(entries, where=self.path)
        self._ages()
        self.task = self._task(task)
        self.classes = self._classes(classes)
        self._volumes = self._kind()
        first = min(there or entries, key=lambda entry: entry["image_id"])["image"]
        self.spatial_dims, self.channels = self._shape(first, spatial_dims, channels)

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
            raise InputError(f"{where}: label '{shown(label)}' is neither a mask file nor a class number")
        patient = checked_id(entry["patient_id"], key="patient_id", where=where)
        record: Record = {
            "image": str(image),
            "label": label if isinstance(label, int) else str(self._file(label, where)),
            "image_id": str(entry["image"]).removesuffix(".gz").rsplit(".", 1)[0],
            "patient_id": patient,
            "where": where,
        }
        given = {key: entry[key] for key in (*ID_KEYS, *TEXT_KEYS) if entry.get(key) not in (None, "")}
        for key, value in given.items():
            strict = key in ID_KEYS
            record[key] = checked_id(value if strict else _stripped(value), key=key, where=where)
        if entry.get("age") not in (None, ""):
            record["age"] = entry["age"]
        named = _split(entry, split, where)
        return {**record, "split": named} if named else record

    def _ages(self) -> None:
        """Ages in years; what is not understood is left out, counted and said."""
        odd = []
        for record in self._records:
            if "age" not in record:
                continue
            value = plain_age(record["age"])
            if value is None:
                odd.append(shown(record.pop("age")))
            else:
                record["age"] = value
        if odd:
            notice(f"{self.path}: {len(odd)} ages are not understood and left out: {counted(odd)}")

    def _file(self, name: Any, where: str) -> Path:
        """The file called `name`, inside the folder and not through a link out of it."""
        if not isinstance(name, str):
            raise InputError(f"{where}: '{shown(name)}' is not a path")
        if not name.lower().endswith((*PICTURES, *VOLUMES)):
            raise InputError(f"{where}: '{name}' is not one of {', '.join((*PICTURES, *VOLUMES))}")
        if "\0" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
            raise InputError(f"{where}: '{shown(name)}' holds a sign that no file name can have")
        root = self.folder.resolve()
        path = self.folder / name
        if ".." in Path(name).parts or not path.resolve().is_relative_to(root):
            raise InputError(f"{where}: '{name}' leads out of {self.folder}; paths and links must stay inside it")
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
        most = max(record["label"] for record in self._records)
        known = tuple(names) if names else tuple(str(i) for i in range(max(min(most, MOST_CLASSES - 1), 0) + 1))
        for record in self._records:
            if not 0 <= record["label"] < len(known):
                where = f"{self.path}: {record['image_id']}"
                raise InputError(
                    f"{where}: label {shown(record['label'])} is not a class number from 0 to {len(known) - 1}"
                )
            record.setdefault("diagnosis", known[record["label"]])
        return known

    def _kind(self) -> bool:
        kinds = {is_volume(record["image"]) for record in self._records}
        if len(kinds) > 1:
            raise InputError(f"{self.path}: lists both NIfTI files and pictures; give each a list of its own")
        return kinds.pop()

    def _shape(self, first: str, asked: int | None, channels: int | None) -> tuple[int, int]:
        """Spatial dimensions and channels, from the settings and, where they leave it open, the first image."""
        if asked not in (None, 2, 3):
            raise InputError(f"spatial_dims: '{asked}' is not 2 or 3")
        if not self._volumes:
            if asked == 3:
                raise InputError(f"{first}: a picture has 2 spatial dimensions; spatial_dims is 3")
            return 2, count_channels(first) if channels is None else check_channels(channels)
        shape, found = volume_header(first)
        if channels not in (None, found):
            raise InputError(f"{first}: {found} channels where in_channels is {channels}")
        dims = 2 if len(shape) < 3 or 1 in shape else 3
        if asked == 2 and dims == 3:
            raise InputError(f"{first}: shape {shape} is a volume, where spatial_dims is 2")
        return asked or (2 if len(shape) < 3 or shape[2] == 1 else 3), found


def _check_files(records: list[Record]) -> None:
    """Refuse a file that is missing, and an image file that two entries name, under whatever path: forgetting one
    would leave the other."""
    seen: dict[Any, str] = {}
    for record in records:
        where, image = record["where"], record["image"]
        files = [record[key] for key in ("image", "label") if isinstance(record[key], str)]
        if missing := [path for path in files if not os.path.isfile(path)]:
            raise InputError(f"{where}: no such file {missing[0]}")
        status = os.stat(image)
        other = seen.setdefault((status.st_dev, status.st_ino), where)
        if other != where:
            raise InputError(f"{where}: image {image} is the file of {other.rsplit(': ', 1)[-1]} too; list it once")
        if image == record["label"]:
            raise InputError(f"{where}: image and label are the same file {image}")


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _split(entry: dict[str, Any], section: str | None, where: str) -> str | None:
    """The set that an entry is in by its section or by itself; None for training.

    Raises:
        InputError: a set that does not exist, or another one than the section's.
    """
    own = entry.get("split")
    if own in (None, ""):
        return section
    if own not in SPLITS:
        raise InputError(f"{where}: split '{shown(own)}' is not one of {', '.join(SPLITS)}")
    if section and own != section:
        raise InputError(f"{where}: split '{own}' contradicts the list that it stands in, {section}")
    return own if own != "train" else None


def _say_unknown(entries: list[Any], *, where: Path) -> None:
    unknown = [shown(key) for entry in entries for key in entry if key not in KNOWN_KEYS]
    if unknown:
        number = sum(any(key not in KNOWN_KEYS for key in entry) for entry in entries)
        notice(f"{where}: {number} entries have keys that are not read: {counted(unknown)}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object none of whose keys stands twice: Python would keep the last in silence."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InputError(f"key '{shown(twice)}' stands twice in one object")
    return dict(pairs)


def _sections(path: Path) -> list[tuple[str, str | None, list[Any]]]:
    """Name, official split and entries of each list in the file."""
    if not path.is_file():
        raise InputError(f"{path}: no such datalist file")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file: {error}") from error
    if isinstance(content, list):
        return [("list", None, content)]
    if not isinstance(content, dict) or not any(name in content for name in SECTIONS):
        raise InputError(f"{path}: must hold a list, or lists called {', '.join(SECTIONS)}")
    sections = [(name, split, content[name]) for name, split in SECTIONS.items() if name in content]
    for name, _, listed in sections:
        if not isinstance(listed, list):
            raise InputError(f"{path}: '{name}' must be a list")
    unread = [shown(name) for name, listed in content.items() if name not in SECTIONS and isinstance(listed, list)]
    if unread:
        notice(f"{path}: {len(unread)} lists are not read: {counted(unread)}; read are {', '.join(SECTIONS)}")
    return sections
