"""A request, or a random share, to the cohort it stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.cohort.cohort import SETS, Cohort, Record, image_ids, units
from scripts.cohort.split import Split, check_share, ranked, share_of, split_units
from scripts.data.source import LEVEL_KEYS, DataSource, nearest_known
from scripts.errors import InputError
from scripts.request import Request

REPORTED = ("guard", "selection", "validation", "test")


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


def resolve(
    source: DataSource,
    *,
    request: Request | None = None,
    forget_ratio: float = 0.0,
    seed: int = 0,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    guard_share: float = 0.0,
    folds: int = 0,
) -> Cohort:
    """Place every record of `source`.

    Args:
        source: the data set.
        request: what to forget; it goes before `forget_ratio`.
        forget_ratio: share of the training patients to forget, drawn by `seed`, for research; 0 forgets nothing.
        seed: of the split and of that draw.
        validation_share, test_share, guard_share: see `split_units`.
        folds: number of folds of the training patients, 0 for none.

    Raises:
        InputError: an id matches nothing; nothing of the request was trained on; no retain data is left.
    """
    records = source.records()
    split = split_units(
        records,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
        guard_share=guard_share,
        folds=folds,
    )
    if request is not None:
        chosen = _requested(request, records)
    else:
        chosen = _drawn(split, forget_ratio=forget_ratio, seed=seed, records=records)
    sets, moved = _place(records, split, chosen)
    if request is not None and not sets["forget"]:
        raise InputError(
            f"{_file(request)}: nothing to forget: the model was not trained on {request.level} "
            f"{_listed(request.ids)} (found in {_listed(moved) or 'no set'})"
        )
    if not sets["retain"]:
        raise InputError(f"{_file(request)}: no retain data is left: all training images are to be forgotten")
    settings = {
        "seed": seed,
        "forget_ratio": 0.0 if request is not None else float(forget_ratio),
        "validation_share": validation_share,
        "test_share": test_share,
        "guard_share": guard_share,
        "folds": folds,
    }
    cohort = Cohort(
        forget=tuple(sets["forget"]),
        retain=tuple(sets["retain"]),
        guard=tuple(sets["guard"]),
        selection=tuple(sets["selection"]),
        validation=tuple(sets["validation"]),
        test=tuple(sets["test"]),
        folds=split.folds,
    )
    cohort.resolution.update(_resolution(cohort, source, request, chosen, split, moved, settings))
    return cohort


def _requested(request: Request, records: list[Record]) -> Chosen:
    key = LEVEL_KEYS[request.level]
    by_id: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if key in record:
            by_id[str(record[key])].append(record)
    unknown = [value for value in request.ids if value not in by_id]
    if unknown:
        raise InputError(
            f"{_file(request)}: {request.level} id {_listed(unknown)} matches nothing in the data set; "
            f"nearest known: {nearest_known(unknown[0], by_id)}"
        )
    found = [record for value in request.ids for record in by_id[value]]
    if request.level == "class":
        return Chosen(frozenset(), frozenset(image_ids(found)), frozenset(request.ids))
    return Chosen(frozenset(units(found)), frozenset(image_ids(found)))


def _drawn(split: Split, *, forget_ratio: float, seed: int, records: list[Record]) -> Chosen:
    check_share("forget_ratio", forget_ratio)
    training = [unit for unit, place in split.place.items() if place == "training"]
    # a salt of its own: the draw must not follow the folds or the split
    order = ranked(training, seed=seed, salt="forget")
    drawn = frozenset(order[: share_of(len(order), forget_ratio)])
    out = set(split.straddling)
    named = (record for record in records if record["patient_id"] in drawn and record["image_id"] not in out)
    return Chosen(drawn, frozenset(image_ids(named)))


def _place(
    records: Iterable[Record], split: Split, chosen: Chosen
) -> tuple[dict[str, list[Record]], dict[str, list[str]]]:
    """Records of each set, and the image ids that left a reported set because their patient asked to be forgotten."""
    sets: dict[str, list[Record]] = {name: [] for name in SETS}
    moved: dict[str, list[str]] = {}
    out = set(split.straddling)
    for record in records:
        if record["image_id"] in out:
            continue
        place = split.place[record["patient_id"]]
        if place == "training":
            sets["forget" if chosen.holds(record) else "retain"].append(record)
        elif record["patient_id"] in chosen.patients:
            moved.setdefault(place, []).append(record["image_id"])
        else:
            sets[place].append(record)
    return sets, {place: sorted(ids) for place, ids in sorted(moved.items())}


def _resolution(
    cohort: Cohort,
    source: DataSource,
    request: Request | None,
    chosen: Chosen,
    split: Split,
    moved: Mapping[str, list[str]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that an auditor asks of the cohort, as JSON with sorted ids."""
    forgotten = set(image_ids(cohort.forget))
    return {
        "data_set": source.name,
        "unit": source.unit,
        "request": None if request is None else request.as_dict(),
        "settings": dict(settings),
        "matched": sorted(chosen.matched),
        "unmatched": [],  # an id that matches nothing ends the run
        "pulled_in": sorted(forgotten - chosen.matched),
        "not_trained_on": moved,
        "left_out": list(split.straddling),
        "held_out_class": {
            name: image_ids(cohort.held_out_class(chosen.classes, of=name)) for name in REPORTED if chosen.classes
        },
        "near_duplicates": None,  # not looked for yet
        "sizes": cohort.sizes(),
        "images": {name: image_ids(cohort.named(name)) for name in SETS},
        "patients": {name: list(units(cohort.named(name))) for name in SETS},
        "folds": dict(sorted(split.folds.items())),
    }


def _listed(values: Iterable[str], *, count: int = 5) -> str:
    values = sorted(values)
    return ", ".join(f"'{value}'" for value in values[:count]) + (", ..." if len(values) > count else "")


def _file(request: Request | None) -> str:
    return "forget_ratio" if request is None else str(request.path or f"request '{request.request_id}'")
