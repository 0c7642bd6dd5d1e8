"""The sets of records that every later room works with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.cohort.split import Split
from scripts.cohort.split_file import RecordedSplit

Record = dict[str, Any]

SETS = ("forget", "retain", "guard", "selection", "validation", "test")
NO_FOLD = -1


@dataclass(frozen=True)
class Cohort:
    """Disjoint sets of records; no patient is in two of them, unless a class is what is to be forgotten.

    Attributes:
        forget, retain: together the training set.
        guard: in no other set; distillation on it protects behaviour away from the training data.
        selection: selects checkpoints, and is never reported.
        validation, test: reported.
        resolution: what was matched, pulled in, moved and left out, as JSON with sorted ids.
        folds: fold of each training patient.
        gone: records that belong to what was forgotten before; in no set, and served by no loader.
        split: place and fold of every patient, before anything was asked for.
        recorded: the split as the next training writes it; None where the cohort was not made from a data set.
    """

    forget: tuple[Record, ...]
    retain: tuple[Record, ...]
    guard: tuple[Record, ...]
    selection: tuple[Record, ...]
    validation: tuple[Record, ...]
    test: tuple[Record, ...]
    resolution: dict[str, Any] = field(default_factory=dict)
    folds: Mapping[str, int] = field(default_factory=dict)
    gone: tuple[Record, ...] = ()
    split: Split | None = None
    recorded: RecordedSplit | None = None

    def fold_of(self, record: Mapping[str, Any]) -> int:
        """The fold whose model never saw this record's patient; -1 for a patient outside the folds."""
        return self.folds.get(record["patient_id"], NO_FOLD)

    def training(self, fold: int = NO_FOLD) -> tuple[Record, ...]:
        """Forget and retain records by `image_id`, without those of `fold`."""
        records = sorted(self.forget + self.retain, key=lambda record: record["image_id"])
        return tuple(record for record in records if fold < 0 or self.fold_of(record) != fold)

    def named(self, name: str) -> tuple[Record, ...]:
        """One of `SETS` by its name."""
        if name not in SETS:
            raise KeyError(name)
        return getattr(self, name)

    def sizes(self) -> dict[str, dict[str, int]]:
        """Images and patients of each set."""
        return {name: {"images": len(self.named(name)), "patients": len(units(self.named(name)))} for name in SETS}

    def held_out_class(self, classes: Iterable[str], *, of: str = "validation") -> tuple[Record, ...]:
        """Records of the set `of` that belong to the given classes: reported apart when a class is forgotten."""
        wanted = set(classes)
        return tuple(record for record in self.named(of) if record.get("diagnosis") in wanted)


def units(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The patients of `records`, sorted."""
    return tuple(sorted({record["patient_id"] for record in records}))


def image_ids(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The image ids of `records`, sorted."""
    return sorted(record["image_id"] for record in records)
