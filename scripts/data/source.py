"""What every data set offers: its records and how to load one of them."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.data.ids import check_distinct, checked_id
from scripts.data.notices import counted, notice
from scripts.errors import InputError

Record = dict[str, Any]

LEVEL_KEYS = {
    "patient": "patient_id",
    "study": "study_id",
    "series": "series_id",
    "lesion": "lesion_id",
    "image": "image_id",
    "class": "diagnosis",
}


def files_of(value: Any) -> list[str]:
    """What a record's image or label may name as a file: a path, or a list of them."""
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


class DataSource(ABC):
    """A data set in its official layout.

    Attributes:
        name: the name under which the config asks for it.
        task: name of what its labels are for.
        unit: what `patient_id` of a record stands for: "patient", "lesion" or "image".
        channels: image channels.
        spatial_dims: 2 or 3.
        classes: what is segmented, or the classes in the order of their index.
    """

    name: str
    task: str = "segmentation"
    unit: str = "patient"
    channels: int = 3
    spatial_dims: int = 2
    classes: tuple[str, ...] = ("foreground",)

    @property
    def masks(self) -> bool:
        """Whether a label is an image."""
        from scripts.tasks.registry import TASKS

        return TASKS[self.task].masks

    @property
    def graded(self) -> bool:
        """Whether such an image holds intensities, and not structures."""
        from scripts.tasks.registry import TASKS

        return TASKS[self.task].graded

    def resized(self) -> list[Callable[[Record], Record]]:
        """Dict transforms of images in their final size, before they are normalised; none by default."""
        return []

    @abstractmethod
    def records(self) -> list[Record]:
        """One dict per image, sorted by `image_id`; required keys: image, label, image_id, patient_id."""

    @abstractmethod
    def loading(self) -> list[Callable[[Record], Record]]:
        """Dict transforms that replace the paths of a record by tensors.

        `image` becomes float32 (C, H, W[, D]), in 0..1 where the file holds a picture and with the file's values where
        it holds a volume; `label` becomes float32 (1, H, W[, D]) in {0, 1} or, in classification, an int64 scalar.

        Raises:
            InputError: a file cannot be read, or image and mask do not fit; the file is named.
        """


class NoFolder(InputError):
    """A data set was asked for whose folder nobody gave."""


def data_folder(dataset_dir: str | Path | None, name: str) -> Path:
    """The folder of a real data set, or an InputError that says which setting to give."""
    if not dataset_dir:
        raise NoFolder(f"data set '{name}' needs its folder: give --dataset_dir DIR")
    folder = Path(dataset_dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --dataset_dir must name the folder of data set '{name}'")
    return folder


def nearest_known(value: str, known: Iterable[str], *, count: int = 3) -> str:
    """The known names closest to `value`, for the end of an error message."""
    known = sorted(set(known))
    folded = value.casefold()
    likeness = {name: difflib.SequenceMatcher(None, folded, name.casefold()).ratio() for name in known}
    close = sorted((name for name in known if likeness[name] >= 0.5), key=lambda name: -likeness[name])[:count]
    close = close or known[:count]
    more = "" if len(known) <= len(close) else f" (of {len(known)})"
    return (", ".join(f"'{name}'" for name in close) + more) if close else "none"


def check_ids(records: Sequence[Record], *, where: str | Path) -> None:
    """Refuse ids that are blank at an end or invisible in part, and ids that differ only in case or Unicode form.

    Raises:
        InputError: names the ids.
    """
    for key in LEVEL_KEYS.values():
        ids = [str(record[key]) for record in records if key in record]
        for text in ids:
            checked_id(text, key=key, where=str(where))
        check_distinct(ids, key=key, where=str(where))


def say_contradictions(records: Iterable[Record], *, where: str | Path) -> None:
    """Say how many patients have more than one sex: images of two people may stand under one id."""
    found: dict[str, set[str]] = {}
    for record in records:
        sex = str(record.get("sex", "")).casefold()
        if sex not in ("", "unknown"):
            found.setdefault(record["patient_id"], set()).add(sex)
    odd = sorted(patient for patient, named in found.items() if len(named) > 1)
    if odd:
        notice(f"{where}: {len(odd)} patients have images of more than one sex; are their ids right? {counted(odd)}")


def checked_records(records: Iterable[Record], *, where: str | Path) -> list[Record]:
    """The records sorted by `image_id`, after checking that there are any, that no image id occurs twice and that no
    two ids could be taken for one another."""
    ordered = sorted(records, key=lambda record: record["image_id"])
    if not ordered:
        raise InputError(f"{where}: no images found")
    for first, second in zip(ordered, ordered[1:], strict=False):
        if first["image_id"] == second["image_id"]:
            raise InputError(f"{where}: image id '{first['image_id']}' occurs twice; ids must be unique")
    check_ids(ordered, where=where)
    return ordered
