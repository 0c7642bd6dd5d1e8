"""The record of a model, asked before the model is used for anything.

Another split would take patients for held out on whom the model was trained; a model that never saw a patient has
nothing of him to forget; and a model that saw him cannot say what models without him would answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import SETS, Cohort, Record, units
from scripts.cohort.membership import Membership, record_path, salted
from scripts.cohort.model_record import WHOLE, ModelRecord
from scripts.errors import InputError

HELD_OUT = ("guard", "selection", "validation", "test")
# Settings that a model must be used with as it was trained.
AS_TRAINED = (
    "dataset_name trust_foreign task observer phantom_seed phantom_patients image_size patch_size patch_overlap"
    " normalise network_name spatial_dims in_channels out_channels undersampling acceleration center_fraction"
).split()


def recorded_membership(model: str | Path, *, trust_unrecorded: bool = False) -> Membership | None:
    """Who was in a model; None where that is not on record and `trust_unrecorded` lets it pass, with a warning.

    Raises:
        InputError: the record is missing or has no membership, or cannot be read.
    """
    record = ModelRecord.read(model)
    if record is not None and record.membership is not None:
        return record.membership
    path = record_path(model)
    what = f"has no record ({path.name})" if record is None else f"has a record ({path.name}) that does not say"
    if not trust_unrecorded:
        raise InputError(
            f"{model}: {what} of who was in its training; train it with this bundle, or take the split on trust with"
            " trust_unrecorded: true, and then no PASS is given"
        )
    print(
        f"warning: {model}: {what} of who was in its training; the split is taken on trust, and no PASS is given",
        flush=True,
    )
    return None


def check_provenance(model: str | Path, cohort: Cohort, *, trust_unrecorded: bool = False, fold: int = WHOLE) -> Path:
    """The path of the teacher's weights, after comparing their record with the cohort.

    Args:
        fold: that the model was trained without, where a fold teacher is what forgets.

    Raises:
        InputError: no record of who was in it, and `trust_unrecorded` is false; another data set or split; a fold
            teacher; a model that was not trained on what is to be forgotten, or was trained on held-out patients, or
            on somebody who was forgotten before.
    """
    record = ModelRecord.read(model)
    if record is not None:
        check_whole(model, record, fold=fold)
        record.check_split(model, cohort)
    if cohort.resolution.get("trusted") and (record is None or record.membership is None):
        return Path(model)  # this was said when the cohort was made
    membership = recorded_membership(model, trust_unrecorded=trust_unrecorded)
    if membership is None:
        cohort.resolution["trusted"] = True
        return Path(model)
    remedy = "give as model_dir the folder that commit wrote as next_dir, or train the model anew"
    _refuse_gone(model, membership, cohort, remedy=remedy)
    unseen = [record["image_id"] for record in cohort.forget if not membership.saw_image(record["image_id"])]
    if unseen:
        raise InputError(
            f"{model}: was not trained on {len(unseen)} of the {len(cohort.forget)} images to forget, the first is"
            f" '{min(unseen)}'{_retrained(record)}; give the model that was trained on them"
        )
    for name in HELD_OUT:
        _refuse_seen(model, membership, cohort.named(name), why=f"whom the split places in '{name}'")
        seen = [record["image_id"] for record in cohort.named(name) if membership.saw_image(record["image_id"])]
        if seen:
            raise InputError(
                f"{model}: was trained on image '{min(seen)}', which the data set now lists under a patient of"
                f" '{name}'; give the patient ids of the training"
            )
    if record is not None and not _of_class(cohort):
        _refuse_missing(model, record, membership, cohort)
    return Path(model)


def _refuse_missing(model: str | Path, record: ModelRecord, membership: Membership, cohort: Cohort) -> None:
    """Raise InputError where images of who is to be forgotten were trained on and are no longer in the data set.

    What is not there cannot be forgotten, and the patient would be certified as forgotten.
    """
    everything = (*(one for name in SETS for one in cohort.named(name)), *cohort.gone)
    there = Counter(one["patient_id"] for one in everything if membership.saw_image(one["image_id"]))
    for patient in units(cohort.forget):
        trained = record.images_of.get(salted(membership.salt, "patient", patient), 0)
        if there[patient] < trained:
            raise InputError(
                f"{model}: was trained on {trained} images of patient '{patient}', of which the data set holds"
                f" {there[patient]}; put the others back, or not all of the patient would be forgotten"
            )


def check_settings(model: str | Path, settings: Mapping[str, Any]) -> None:
    """Raise InputError where a model is to be used with other settings than it was trained with; it is named.

    Only what its record holds is compared.
    """
    for name, before, now in unlike_training(model, settings):
        raise InputError(f"{name}: {now!r}, but {model} was trained with {before!r}; give the settings of its training")


def unlike_training(model: str | Path, settings: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings on which what a model answers depends, and which are not those of its training: name, before, now."""
    record = ModelRecord.read(model)
    known = {} if record is None else record.training
    return [
        (name, known[name], settings[name])
        for name in AS_TRAINED
        if name in known and name in settings and settings[name] != known[name]
    ]


def check_whole(model: str | Path, record: ModelRecord, *, fold: int = WHOLE) -> None:
    """Raise InputError where the teacher is a fold teacher, and not that of the fold that is asked for."""
    if fold != WHOLE and record.fold != fold:
        raise InputError(f"fold: {fold}: {model} was not trained without that fold; its record says {record.fold}")
    if record.fold != fold:
        raise InputError(
            f"{model}: was trained without fold {record.fold}: it is a fold teacher, which says what models without"
            " those patients answer; give as model_name the model that was trained on all folds"
        )


def check_fold_teacher(
    model: str | Path, cohort: Cohort, forget: Iterable[Record], *, trust_unrecorded: bool = False
) -> Path:
    """The path of a fold teacher's weights, after making sure that it saw none of the images `forget`.

    Raises:
        InputError: no record of who was in it, and `trust_unrecorded` is false; another data set, split or number of
            folds; it was trained on a patient or an image that is to be forgotten or was forgotten before, or on the
            selection set.
    """
    record = ModelRecord.read(model)
    if record is not None:
        record.check_split(model, cohort)
    membership = recorded_membership(model, trust_unrecorded=trust_unrecorded)
    if membership is None:
        cohort.resolution["trusted"] = True
        return Path(model)
    _refuse_gone(model, membership, cohort, remedy="run renew")
    forget = list(forget)
    why = "who is to be forgotten: it cannot say what models without that patient answer; train the fold teachers anew"
    if not _of_class(cohort):
        _refuse_seen(model, membership, forget, why=why)
    seen = [record["image_id"] for record in forget if membership.saw_image(record["image_id"])]
    if seen:
        raise InputError(
            f"{model}: was trained on {len(seen)} images that are to be forgotten, the first is '{min(seen)}': it"
            " cannot be the reference; set reference: none, or goal: suppress"
        )
    _refuse_seen(model, membership, cohort.selection, why="whom the split places in 'selection'")
    return Path(model)


def check_reference_class(cohort: Cohort) -> None:
    """Raise InputError where a class is to be forgotten and each fold's teacher was trained on images of the class.

    A fold teacher is trained without some patients. What it says of a class is what was learned from the others.
    """
    folds = {cohort.fold_of(record) for record in cohort.forget}
    if _of_class(cohort) and len(folds) > 1:
        classes = ", ".join(f"'{name}'" for name in cohort.resolution["request"]["ids"])
        raise InputError(
            f"reference: the fold teachers were trained on other images of class {classes} and cannot say what models"
            " without it answer; set reference: none, or goal: suppress"
        )


def seen_of_gone(membership: Membership, cohort: Cohort) -> list[Record]:
    """The records of what was forgotten before on which a model was trained."""
    return [record for record in cohort.gone if membership.saw_image(record["image_id"])]


def _refuse_gone(model: str | Path, membership: Membership, cohort: Cohort, *, remedy: str) -> None:
    """Raise InputError where a model knows somebody who was forgotten before: so would what is made of it."""
    seen = units(seen_of_gone(membership, cohort))
    if seen:
        more = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
        raise InputError(f"{model}: was trained on patient '{seen[0]}'{more}, who was forgotten before; {remedy}")


def _of_class(cohort: Cohort) -> bool:
    return (cohort.resolution.get("request") or {}).get("level") == "class"


def _retrained(record: ModelRecord | None) -> str:
    return (
        f" (its record says that {record.left_out} images of a request were left out)"
        if record and record.left_out
        else ""
    )


def _refuse_seen(model: str | Path, membership: Membership, records: Iterable[Record], *, why: str) -> None:
    seen = [unit for unit in units(records) if membership.saw(unit)]
    if seen:
        more = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
        raise InputError(f"{model}: was trained on patient '{seen[0]}'{more}, {why}")
