"""A request, or a random share, to the cohort it stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.cohort.chosen import Chosen, choose, file_of, listed
from scripts.cohort.cohort import SETS, Cohort, Record, image_ids, units
from scripts.cohort.membership import Teacher
from scripts.cohort.split import Split
from scripts.cohort.split_file import RecordedSplit
from scripts.data.source import DataSource
from scripts.errors import InputError
from scripts.request import Request

REPORTED = ("guard", "selection", "validation", "test")


@dataclass
class Placed:
    """Records by set, and image ids by the reason for which they are in none."""

    sets: dict[str, list[Record]] = field(default_factory=lambda: {name: [] for name in SETS})
    moved: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    not_in_model: list[Record] = field(default_factory=list)


def resolve(
    source: DataSource,
    *,
    request: Request | None = None,
    forget_ratio: float = 0.0,
    seed: int = 0,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    guard_share: float = 0.0,
    folds: int | str = 0,
    recorded: RecordedSplit | None = None,
    teacher: Teacher | None = None,
    gone: Collection[str] = (),
) -> Cohort:
    """Place every record of `source`.

    Args:
        source: the data set.
        request: what to forget; it goes before `forget_ratio`.
        forget_ratio: share of the training patients to forget, drawn by `seed`, for research; 0 forgets nothing.
        seed: of the split and of that draw.
        validation_share, test_share, guard_share: see `split_units`.
        folds: number of folds of the training patients, see `number_of_folds`.
        recorded: the split that the data set has; None makes the first one.
        teacher: what was trained on before; None where a model is to be trained.
        gone: image ids that were forgotten before.

    Raises:
        InputError: an id matches nothing; nothing of the request was trained on; no retain data is left; a patient
            is held out on whom the teacher was trained.
        Refused: the request names what was forgotten before.
    """
    records = source.records()
    made_by: dict[str, Any] = {
        "seed": seed,
        "validation_share": validation_share,
        "test_share": test_share,
        "guard_share": guard_share,
    }
    known = {} if recorded is None else recorded.places
    if recorded is None:
        recorded = RecordedSplit.first(records, data_set=source.name, folds=folds, **made_by)
    else:
        recorded.check_settings(data_set=source.name, **made_by)
        recorded = recorded.extended(records).with_folds(folds, units(records))
    split = recorded.place(records)
    gone = frozenset(gone)
    chosen = choose(request, records, split, teacher, forget_ratio=forget_ratio, seed=seed, gone=gone)
    placed = _place(records, split, chosen, teacher, gone)
    if request is not None:
        _check_forget(request, records, placed, teacher)
    _check_retain(request, placed, teacher)
    if teacher is not None:
        _check_held_out(placed, teacher)
    if "selection" in recorded.places.values() and not placed.sets["selection"]:
        raise InputError(
            f"{recorded.path or source.name}: no patient of the selection set is left; without them no student can"
            " be selected; give the data set of the training, or make a new split: train into another model_dir"
        )
    # Who was forgotten before the split knew him is not written into it.
    there = {record["patient_id"] for record in records if record["image_id"] not in gone}
    out = [unit for unit in split.place if unit not in there and recorded.digest(unit) not in known]
    sets: dict[str, Any] = {name: tuple(placed.sets[name]) for name in SETS}
    cohort = Cohort(
        **sets,
        folds=split.folds,
        gone=tuple(record for record in records if record["image_id"] in gone),
        split=split,
        recorded=recorded.without(out) if out else recorded,
    )
    settings = {**made_by, "forget_ratio": 0.0 if request is not None else float(forget_ratio), "folds": recorded.folds}
    cohort.resolution.update(_resolution(cohort, source, request, chosen, placed, settings))
    return cohort


def _place(
    records: Iterable[Record], split: Split, chosen: Chosen, teacher: Teacher | None, gone: frozenset[str]
) -> Placed:
    """Each record to its set; the teacher's record goes before the split where the two differ on a requested image."""
    placed = Placed()
    out = set(split.straddling)
    for record in records:
        if record["image_id"] in gone:
            continue
        place = split.place[record["patient_id"]]
        saw = None if teacher is None else teacher.saw(record)
        trained_on = place == "training" and record["image_id"] not in out if saw is None else saw
        if chosen.holds(record) and trained_on:
            placed.sets["forget"].append(record)
        elif record["image_id"] in out:
            continue
        elif record["patient_id"] in chosen.patients:
            placed.moved[place].append(record["image_id"])
        elif place != "training":
            placed.sets[place].append(record)
        elif trained_on:
            placed.sets["retain"].append(record)
        else:
            placed.not_in_model.append(record)
    return placed


def _check_forget(request: Request, records: list[Record], placed: Placed, teacher: Teacher | None) -> None:
    """Say truthfully why nothing is to be forgotten, or what of the request was not trained on."""
    membership = None if teacher is None else teacher.membership
    moved = {image for ids in placed.moved.values() for image in ids}
    forgotten = set(units(placed.sets["forget"]))
    untouched = [unit for unit in units(one for one in records if one["image_id"] in moved) if unit not in forgotten]
    lost = [unit for unit in untouched if membership is not None and membership.saw(unit)]
    if lost:
        assert teacher is not None
        raise InputError(
            f"{file_of(request)}: {teacher.path} was trained on patient {listed(lost)}, but on none of the images"
            " that the data set now holds; give the data set, with the image ids, of the training"
        )
    if not forgotten:
        raise InputError(f"{file_of(request)}: nothing to forget: {_why_nothing(request, placed, teacher)}")
    if untouched and membership is not None:
        print(f"{file_of(request)}: the model was not trained on patient {listed(untouched)}: nothing to forget there")
    later = [one["image_id"] for one in records if one["image_id"] in moved and one["patient_id"] in forgotten]
    if later:
        print(f"{file_of(request)}: {len(later)} images of the requested patients were not trained on: {listed(later)}")


def _why_nothing(request: Request, placed: Placed, teacher: Teacher | None) -> str:
    asked, where = f"{request.level} {listed(request.ids)}", listed(placed.moved) or "no set"
    if teacher is None:
        return f"by its split, a model is not trained on {asked} (found in {where})"
    if teacher.membership is None:
        return (
            f"the split has {asked} in {where}, and {teacher.path} has no record of who was in it; give the"
            " split.json of its training"
        )
    return f"the model was not trained on {asked} (found in {where}), by the record of {teacher.path}"


def _check_retain(request: Request | None, placed: Placed, teacher: Teacher | None) -> None:
    if placed.sets["retain"]:
        return
    if teacher is not None and placed.not_in_model:
        raise InputError(
            f"{teacher.path}: no retain data is left: the model was trained on none of the"
            f" {len(placed.not_in_model)} other training images of this data set; give the data set of its training"
        )
    raise InputError(f"{file_of(request)}: no retain data is left: all training images are to be forgotten")


def _check_held_out(placed: Placed, teacher: Teacher) -> None:
    """Raise InputError where a held-out set holds a patient on whom the teacher was trained."""
    if teacher.membership is None:
        return
    for name in REPORTED:
        seen = [unit for unit in units(placed.sets[name]) if teacher.membership.saw(unit)]
        if seen:
            raise InputError(
                f"{teacher.path}: was trained on patient {listed(seen)}, whom the split places in '{name}';"
                " give the split.json of its training, which lies beside the weights"
            )


def _resolution(
    cohort: Cohort,
    source: DataSource,
    request: Request | None,
    chosen: Chosen,
    placed: Placed,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that an auditor asks of the cohort, as JSON with sorted ids."""
    forgotten = set(image_ids(cohort.forget))
    assert cohort.split is not None
    return {
        "data_set": source.name,
        "unit": source.unit,
        "request": None if request is None else request.as_dict(),
        "settings": dict(settings),
        "matched": sorted(chosen.matched),
        "unmatched": [],  # an id that matches nothing ends the run
        "pulled_in": sorted(forgotten - chosen.matched),
        "not_trained_on": {place: sorted(ids) for place, ids in sorted(placed.moved.items())},
        "not_in_model": {"images": image_ids(placed.not_in_model), "patients": list(units(placed.not_in_model))},
        "gone": {"images": len(cohort.gone), "patients": list(units(cohort.gone))},
        "trusted": False,
        "left_out": list(cohort.split.straddling),
        "held_out_class": {
            name: image_ids(cohort.held_out_class(chosen.classes, of=name)) for name in REPORTED if chosen.classes
        },
        "near_duplicates": None,  # not looked for yet
        "sizes": cohort.sizes(),
        "images": {name: image_ids(cohort.named(name)) for name in SETS},
        "patients": {name: list(units(cohort.named(name))) for name in SETS},
        "folds": dict(sorted(cohort.split.folds.items())),
    }
