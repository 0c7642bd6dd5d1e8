"""A MONAI datalist JSON: a team's own images and labels, without a line of Python.

    {"training": [{"image": "a.nii.gz", "label": "a_mask.nii.gz", "patient_id": "17"}], "validation": [], "testing": []}

or the bare list. Paths are relative to the JSON file's folder, or to `dataset_dir`, and stay inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from scripts.data.ages import plain_age
from scripts.data.datalist_file import check_files, entry_record, read_sections, say_unknown
from scripts.data.ids import shown
from scripts.data.loading import ClassLabel, LoadMask, LoadPicture, LoadVolume
from scripts.data.notices import counted, notice
from scripts.data.pictures import check_channels
from scripts.data.pictures import picture_channels as count_channels
from scripts.data.source import DataSource, Record, checked_records, data_folder, say_contradictions
from scripts.data.volumes import is_volume, volume_header
from scripts.errors import InputError
from scripts.messages import number_of
from scripts.tasks.registry import TASKS

MOST_CLASSES = 1000  # of a list that does not name them: a larger number is an id or a typing error


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
        outputs: channels of the network's answer, which say how many structures there are; None takes the names.
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
        outputs: int | None = None,
        gone: Callable[[Sequence[Record]], Collection[str]] | None = None,
    ) -> None:
        if not datalist:
            raise InputError("data set 'datalist' needs its JSON file: give --datalist FILE")
        self.path = Path(datalist).expanduser()
        sections = read_sections(self.path)
        self.folder = data_folder(dataset_dir, self.name) if dataset_dir else self.path.parent
        entries = [
            entry_record(entry, split, folder=self.folder, where=f"{self.path}: {section}[{index}]")
            for section, split, listed in sections
            for index, entry in enumerate(listed)
        ]
        say_unknown([entry for _, _, listed in sections for entry in listed], where=self.path)
        out = gone(entries) if gone else ()
        there = [entry for entry in entries if entry["image_id"] not in out]
        check_files(there)
        for entry in entries:
            del entry["where"]
        self._records = checked_records(entries, where=self.path)
        say_contradictions(self._records, where=self.path)
        self._ages()
        self.task = self._task(task)
        self.classes = self._classes(classes, outputs)
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
        return [image, self._label()]

    def _label(self) -> Callable:
        if not self.masks:
            return ClassLabel()
        numbered = len(self.classes) if TASKS[self.task].exclusive else 0
        return LoadMask(spatial_dims=self.spatial_dims, numbered=numbered)

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

    def _task(self, asked: str | None) -> str:
        numbers = {isinstance(record["label"], int) for record in self._records}
        if len(numbers) > 1:
            raise InputError(f"{self.path}: labels are files in some entries and class numbers in others")
        able = [name for name, kind in TASKS.items() if kind.masks is not (True in numbers) and not kind.graded]
        if asked and asked not in TASKS:
            raise InputError(f"task: '{asked}' is not one of {', '.join(TASKS)}")
        if asked and asked not in able:
            raise InputError(f"{self.path}: task is '{asked}', but its labels are those of {' or '.join(able)}")
        return asked or able[0]

    def _classes(self, names: Sequence[str] | None, outputs: int | None) -> tuple[str, ...]:
        if self.masks:
            count = len(names) if names else 1 if outputs is None else TASKS[self.task]().classes(outputs)
            self._check_files(count)
            several = tuple(f"structure_{number}" for number in range(1, count + 1))
            return tuple(names) if names else several if count > 1 else ("foreground",)
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

    def _check_files(self, structures: int) -> None:
        """Refuse a record with more or fewer mask files than the task has."""
        wanted = 1 if TASKS[self.task].exclusive else structures
        for record in self._records:
            files = len(record["label"]) if isinstance(record["label"], list) else 1
            if files != wanted:
                raise InputError(
                    f"{self.path}: {record['image_id']}: {number_of(files, 'mask file')}, where task {self.task} with"
                    f" {number_of(structures, 'structure')} has {wanted}"
                )

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
