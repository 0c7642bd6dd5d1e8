"""What is to be forgotten: whom a request names, or a random share of the training patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.cohort.cohort import Record, image_ids, units
from scripts.cohort.membership import Teacher
from scripts.cohort.split import Split, check_share, ranked, share_of
from scripts.data.source import LEVEL_KEYS, nearest_known
from scripts.errors import InputError, Refused
from scripts.request import Request


@dataclass(frozen=True)
class Chosen:
    """What is to be forgotten.

    Attributes:
        patients: whose training images are forgotten; None where a class is.
        matched: image ids that the request names itself.
        classes: the classes to forget.
    """

    patients: frozenset[str]
    matched: frozenset[str]
    classes: frozenset[str] = frozenset()

    def holds(self, record: Mapping[str, Any]) -> bool:
        return record["patient_id"] in self.patients or record.get("diagnosis") in self.classes


def choose(
    request: Request | None,
    records: list[Record],
    split: Split,
    teacher: Teacher | None,
    *,
    forget_ratio: float,
    seed: int,
    gone: frozenset[str],
) -> Chosen:
    """What a request names, or else a share of the training patients, drawn by `seed`.

    Raises:
        InputError: an id of the request matches nothing.
        Refused: the request names what was forgotten before.
    """
    if request is not None:
        return _requested(request, records, gone)
    there = [record for record in records if record["image_id"] not in gone]
    return _drawn(split, teacher, forget_ratio=forget_ratio, seed=seed, records=there)


def _requested(request: Request, records: list[Record], gone: frozenset[str]) -> Chosen:
    key = LEVEL_KEYS[request.level]
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if key in record:
            by_id[str(record[key])].append(record)
    unknown = [value for value in request.ids if value not in by_id]
    if unknown:
        raise InputError(
            f"{file_of(request)}: {request.level} id {listed(unknown)} matches nothing in the data set; "
            f"nearest known: {nearest_known(unknown[0], by_id)}"
        )
    before = [value for value in request.ids if all(record["image_id"] in gone for record in by_id[value])]
    if before:
        raise Refused(
            f"{file_of(request)}: {request.level} {listed(before)} was forgotten before and is on the list of"
            " tombstones; take it out of the request"
        )
    found = [record for value in request.ids for record in by_id[value] if record["image_id"] not in gone]
    if request.level == "class":
        return Chosen(frozenset(), frozenset(image_ids(found)), frozenset(request.ids))
    return Chosen(frozenset(units(found)), frozenset(image_ids(found)))


def _drawn(split: Split, teacher: Teacher | None, *, forget_ratio: float, seed: int, records: list[Record]) -> Chosen:
    check_share("forget_ratio", forget_ratio)
    out = set(split.straddling)
    trained = [
        record
        for record in records
        if split.place[record["patient_id"]] == "training" and (teacher is None or teacher.saw(record) is not False)
    ]
    # a salt of its own: the draw must not follow the folds or the split
    order = ranked(units(trained), seed=seed, salt="forget")
    drawn = frozenset(order[: share_of(len(order), forget_ratio)])
    named = (record for record in records if record["patient_id"] in drawn and record["image_id"] not in out)
    return Chosen(drawn, frozenset(image_ids(named)))


def listed(values: Iterable[str], *, count: int = 5) -> str:
    """The first of some ids in quotes, for a message."""
    values = sorted(values)
    return ", ".join(f"'{value}'" for value in values[:count]) + (", ..." if len(values) > count else "")


def file_of(request: Request | None) -> str:
    """What asks to forget, for a message: the file of the request, or the setting."""
    return "forget_ratio" if request is None else str(request.path or f"request '{request.request_id}'")
