"""The data list of somebody else's bundle, with the patient of each image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from scripts.data.datalist_file import ID_KEYS, check_files, entry_record, read_sections
from scripts.data.ids import checked_id, shown
from scripts.data.notices import counted
from scripts.data.patients import patients_of
from scripts.data.source import DataSource, Record, checked_records, data_folder, files_of
from scripts.errors import InputError
from scripts.foreign.bundle import TRAINED_ON, VALIDATED_ON, ForeignBundle
from scripts.foreign.transforms import BundleTransform

LEAST_HELD_OUT = 3  # patients: one selects, one is for validation, one for testing
NEEDED = "each entry has 'image' and 'label'"
PATIENT = "patient_id"


class Foreign(DataSource):
    """What a bundle was trained on, by its own configs: `train::dataset::data` and `validate::dataset::data`.

    A third of the patients of the second list, by a hash of their ids, is the test set.

    Args:
        bundle: whose configs were scanned.
        patient_from: a regular expression on paths, with one group, or a CSV file with `image` and `patient_id`;
            empty where entries have a `patient_id`.
        datalist: in place of the bundle's lists: a datalist of our form, which has patients and may have a test set.
        dataset_dir: in which all files lie; empty: the folder of the bundle, or of the datalist.
        gone: as of `Datalist`.
    """

    name = "foreign"
    unit = "patient"

    def __init__(
        self,
        *,
        bundle: ForeignBundle,
        patient_from: str = "",
        datalist: str | Path = "",
        dataset_dir: str | Path = "",
        gone: Callable[[Sequence[Record]], Collection[str]] | None = None,
    ) -> None:
        self.bundle = bundle
        self.task, self.classes = bundle.task, bundle.classes
        self.spatial_dims, self.channels = bundle.spatial_dims, bundle.channels
        if datalist:
            path = Path(datalist).expanduser()
            self.folder = data_folder(dataset_dir, self.name) if dataset_dir else path.parent
            records, self.where = _listed(path, self.folder), path
        else:
            self.folder = data_folder(dataset_dir, self.name) if dataset_dir else bundle.folder.root
            self.where = bundle.folder.train
            records = self._own(patients_of(patient_from))
        out = gone(records) if gone else ()
        check_files([record for record in records if record["image_id"] not in out])
        for record in records:
            del record["where"]
            if not self.masks:
                record.setdefault("diagnosis", self._class_name(record))
        self._records = checked_records(records, where=self.where)

    def records(self) -> list[Record]:
        return [dict(record) for record in self._records]

    def loading(self) -> list[Callable[[Record], Record]]:
        return [BundleTransform(self.bundle)]

    def _own(self, patient_of: Callable[[str, Any, str], str]) -> list[Record]:
        """Records of the bundle's own lists."""
        lists = [(TRAINED_ON, "")]
        if self.bundle.has(VALIDATED_ON):
            lists.append((VALIDATED_ON, "validation"))
        records = []
        for key, split in lists:
            for place, entry in enumerate(self.bundle.entries(key)):
                where = f"{self.where}: {key}[{place}]"
                record = self._record(entry, where)
                name = Path(files_of(record["image"])[0]).relative_to(self.folder.resolve()).as_posix()
                record[PATIENT] = checked_id(patient_of(name, entry.get(PATIENT), where), key=PATIENT, where=where)
                if split:
                    record["split"] = split
                records.append(record)
        return _tested(records, where=self.where)

    def _record(self, entry: dict[str, Any], where: str) -> Record:
        for key in ("image", "label"):
            if entry.get(key) in (None, "", []):
                raise InputError(f"{where}: '{key}' is missing; {NEEDED}")
        images = [self._file(path, where) for path in files_of(entry["image"])]
        if not images:
            raise InputError(f"{where}: image '{shown(entry['image'])}' is no path, and no list of paths")
        label = entry["label"]
        if isinstance(label, (str, list)):
            masks = [self._file(path, where) for path in files_of(label)]
            label = masks if isinstance(label, list) else masks[0]
        elif isinstance(label, bool) or int(label) != label:
            raise InputError(f"{where}: label '{shown(label)}' is neither a mask file nor a class number")
        else:
            label = int(label)
        relative = Path(images[0]).relative_to(self.folder.resolve()).as_posix()
        record = {
            "image": images if isinstance(entry["image"], list) else images[0],
            "label": label,
            "image_id": relative.removesuffix(".gz").rsplit(".", 1)[0],
            "where": where,
        }
        given = {
            key: checked_id(entry[key], key=key, where=where) for key in ID_KEYS if entry.get(key) not in ("", None)
        }
        return {**given, **record}

    def _file(self, name: Any, where: str) -> str:
        """The file, inside the data folder and not through a link out of it."""
        if not isinstance(name, str) or "\0" in name:
            raise InputError(f"{where}: '{shown(name)}' is no path")
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise InputError(
                f"{where}: '{name}' leads out of {self.folder}; give as --dataset_dir the folder of all data"
            )
        return str(path)

    def _class_name(self, record: Record) -> str:
        if not 0 <= record["label"] < len(self.classes):
            raise InputError(
                f"{self.where}: {record['image_id']}: label {record['label']} is no class number from 0 to"
                f" {len(self.classes) - 1}"
            )
        return self.classes[record["label"]]


def _listed(path: Path, folder: Path) -> list[Record]:
    """Records of a datalist of our form."""
    return [
        entry_record(entry, split, folder=folder, where=f"{path}: {section}[{place}]")
        for section, split, entries in read_sections(path)
        for place, entry in enumerate(entries)
    ]


def _tested(records: list[Record], *, where: Path) -> list[Record]:
    """The records with a third of the held-out patients as the test set.

    Raises:
        InputError: too few patients are held out, or one of them was trained on.
    """
    held_out = {record["patient_id"] for record in records if record.get("split")}
    trained = {record["patient_id"] for record in records if not record.get("split")}
    if both := sorted(held_out & trained):
        raise InputError(
            f"{where}: {len(both)} patients stand in both {TRAINED_ON} and {VALIDATED_ON}: {counted(both)}; what a"
            " model was trained on says nothing of patients that it never saw: take them out of the second list"
        )
    if len(held_out) < LEAST_HELD_OUT:
        raise InputError(
            f"{where}: {VALIDATED_ON} has {len(held_out)} patients; {LEAST_HELD_OUT} at least are needed for selection,"
            " validation and test, or give --datalist with lists of your own"
        )
    order = sorted(held_out, key=lambda patient: hashlib.sha256(f"test:{patient}".encode()).hexdigest())
    test = set(order[: max(1, len(order) // 3)])
    return [{**record, "split": "test"} if record["patient_id"] in test else record for record in records]
