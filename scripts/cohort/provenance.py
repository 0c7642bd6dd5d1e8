"""What a model was trained on: a small JSON beside the weights, asked before the model is used for anything.

Another split would take patients for held out on whom the model was trained; a model that never saw a patient has
nothing of him to forget; and a model that saw him cannot say what models without him would answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import SETS, Cohort, Record, units
from scripts.cohort.membership import Membership, is_digest, read_json_object, record_path, salted
from scripts.cohort.split_file import SETTING_NAMES
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import file_digest

SPLIT = ("seed", "validation_share", "test_share", "guard_share")
HELD_OUT = ("guard", "selection", "validation", "test")
# Settings that a model must be used with as it was trained.
AS_TRAINED = (
    "dataset_name task observer phantom_seed phantom_patients image_size normalise network_name spatial_dims"
    " in_channels out_channels"
).split()
WHOLE = -1  # the fold of a model that was trained on all folds

provenance_path = record_path


@dataclass(frozen=True)
class ModelRecord:
    """The record beside a model's weights.

    Attributes:
        data_set: name of the data set.
        split: seed, shares and folds of the split.
        fold: the fold left out; -1 where none was.
        training: plain settings of the training.
        left_out: how many images of a request were left out: above 0 for a retrained model.
        membership: who was in it; None in a record of the old form.
        identity: what else the training is known by; empty where none was given.
        weights: SHA-256 of the weights that it is the record of; empty in a record of the old form.
        images_of: salted digest of a patient -> on how many of the patient's images it was trained; empty in a record
            of the old form.
    """

    data_set: str
    split: Mapping[str, Any] = field(default_factory=dict)
    fold: int = WHOLE
    training: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0
    membership: Membership | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""
    images_of: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        *,
        fold: int = WHOLE,
        settings: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> ModelRecord:
        """The record of a model that is trained on a cohort's retain set without the patients of `fold`."""
        assert cohort.recorded is not None, "a cohort that was made by hand has no split to record"
        trained, salt = trained_on(cohort, fold=fold), cohort.recorded.salt
        counts = Counter(record["patient_id"] for record in trained)
        return cls(
            data_set=cohort.resolution["data_set"],
            split={name: cohort.resolution["settings"][name] for name in (*SPLIT, "folds")},
            fold=fold,
            training=dict(settings or {}),
            left_out=len(cohort.training(fold)) - len(trained),
            membership=Membership.of(trained, salt),
            identity=dict(identity or {}),
            images_of={salted(salt, "patient", patient): count for patient, count in counts.items()},
        )

    @classmethod
    def read(cls, model: str | Path) -> ModelRecord | None:
        """The record beside `model`; None where there is none.

        Raises:
            InputError: it cannot be read, or is the record of other weights; the file is named.
        """
        path = record_path(model)
        content = read_json_object(path)
        if content is None:
            return None
        parts: dict[str, Any] = {name: content.get(name, {}) for name in ("split", "training", "identity", "images_of")}
        fold: Any = content.get("fold")
        left_out: Any = content.get("left_out", 0)
        weights: Any = content.get("weights", "")
        if (
            not isinstance(content.get("data_set"), str)
            or not all(isinstance(part, dict) for part in parts.values())
            or not set(SPLIT) <= set(parts["split"])
            or not (weights == "" or is_digest(weights))
            or not all(isinstance(count, int) for count in parts["images_of"].values())
            or not all(isinstance(number, int) and not isinstance(number, bool) for number in (fold, left_out))
        ):
            raise InputError(f"{path}: is not a readable record of a training; restore the file of the training")
        if weights and Path(model).is_file() and weights != file_digest(model):
            raise InputError(
                f"{path}: is the record of other weights than those in {model}; put back the weights that were trained"
                " with it, or train the model anew"
            )
        membership = Membership.read(model)
        return cls(content["data_set"], fold=fold, left_out=left_out, membership=membership, weights=weights, **parts)

    def write(self, model: str | Path) -> None:
        """Write the record beside `model`, whose weights are there already; it holds no ids."""
        content: dict[str, Any] = {
            "data_set": self.data_set,
            "split": dict(self.split),
            "fold": self.fold,
            "training": dict(self.training),
            "left_out": self.left_out,
        }
        if self.membership is not None:
            content["membership"] = self.membership.as_json()
        if self.identity:
            content["identity"] = dict(self.identity)
        if self.images_of:
            content["images_of"] = dict(self.images_of)
        if Path(model).is_file():
            content["weights"] = file_digest(model)
        write_json(record_path(model), content)

    def check_split(self, model: str | Path, cohort: Cohort) -> None:
        """Raise InputError where the model was trained with another data set or split; the setting is named."""
        before = {"data_set": self.data_set, **self.split}
        now = {"data_set": cohort.resolution["data_set"], **cohort.resolution["settings"]}
        for name in ("data_set", *SPLIT, *(("folds",) if self.fold >= 0 else ())):
            if before.get(name) != now[name]:
                setting = SETTING_NAMES.get(name, name)
                raise InputError(
                    f"{model}: was trained with {setting} = {before.get(name)!r}, not {now[name]!r};"
                    " give the settings of its training, or its patients would not be where they were"
                )


def trained_on(cohort: Cohort, *, fold: int = WHOLE) -> tuple[Record, ...]:
    """The records that a training without `fold` and without what is to be forgotten takes."""
    forget = {record["image_id"] for record in cohort.forget}
    return tuple(record for record in cohort.training(fold) if record["image_id"] not in forget)


def write_provenance(
    model: str | Path,
    cohort: Cohort,
    *,
    fold: int = WHOLE,
    settings: Mapping[str, Any] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Write the record of a model that was trained on `trained_on(cohort, fold=fold)`."""
    ModelRecord.of(cohort, fold=fold, settings=settings, identity=identity).write(model)


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


def check_provenance(model: str | Path, cohort: Cohort, *, trust_unrecorded: bool = False) -> Path:
    """The path of the teacher's weights, after comparing their record with the cohort.

    Raises:
        InputError: no record of who was in it, and `trust_unrecorded` is false; another data set or split; a fold
            teacher; a model that was not trained on what is to be forgotten, or was trained on held-out patients.
    """
    record = ModelRecord.read(model)
    if record is not None:
        check_whole(model, record)
        record.check_split(model, cohort)
    if cohort.resolution.get("trusted") and (record is None or record.membership is None):
        return Path(model)  # this was said when the cohort was made
    membership = recorded_membership(model, trust_unrecorded=trust_unrecorded)
    if membership is None:
        cohort.resolution["trusted"] = True
        return Path(model)
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


def check_whole(model: str | Path, record: ModelRecord) -> None:
    """Raise InputError where the teacher is a fold teacher."""
    if record.fold >= 0:
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
            folds; it was trained on a patient or an image that is to be forgotten, or on the selection set.
    """
    record = ModelRecord.read(model)
    if record is not None:
        record.check_split(model, cohort)
    membership = recorded_membership(model, trust_unrecorded=trust_unrecorded)
    if membership is None:
        cohort.resolution["trusted"] = True
        return Path(model)
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
