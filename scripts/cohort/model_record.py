"""What a model was trained on: a small JSON beside its weights, without ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import Cohort, Record
from scripts.cohort.membership import Membership, is_digest, read_json_object, record_path, salted
from scripts.cohort.split_file import SETTING_NAMES
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import file_digest

SPLIT = ("seed", "validation_share", "test_share", "guard_share")
STATED = "stated"  # in the record of a training that nobody of us has seen: it is what a foreign bundle says of it
WHOLE = -1  # the fold of a model that was trained on all folds


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
        unlearned: number of patients on whom it, or what it was made of, was trained once and whom it unlearned since.
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
    unlearned: int = 0

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
        unlearned: Any = content.get("unlearned", 0)
        if (
            not isinstance(content.get("data_set"), str)
            or not all(isinstance(part, dict) for part in parts.values())
            or not set(SPLIT) <= set(parts["split"])
            or not (weights == "" or is_digest(weights))
            or not all(isinstance(count, int) for count in parts["images_of"].values())
            or not all(type(number) is int for number in (fold, left_out, unlearned))
        ):
            raise InputError(f"{path}: is not a readable record of a training; restore the file of the training")
        if weights and Path(model).is_file() and weights != file_digest(model):
            raise InputError(
                f"{path}: is the record of other weights than those in {model}; put back the weights that were trained"
                " with it, or train the model anew"
            )
        own = {"membership": Membership.read(model), "weights": weights, "unlearned": unlearned}
        return cls(content["data_set"], fold=fold, left_out=left_out, **own, **parts)

    def without(self, forgotten: Mapping[str, Sequence[str]]) -> ModelRecord:
        """The record of a model that no longer holds some images; a patient of whom none is left is not in it.

        Args:
            forgotten: patient -> image ids.
        """
        assert self.membership is not None, "a model without a record of who is in it has nobody to take out"
        salt, counts = self.membership.salt, dict(self.images_of)
        images = {salted(salt, "image", image) for own in forgotten.values() for image in own}
        gone = set()
        for patient, own in forgotten.items():
            digest = salted(salt, "patient", patient)
            trained = sum(salted(salt, "image", image) in self.membership.images for image in own)
            counts[digest] = counts.get(digest, trained) - trained
            if counts[digest] <= 0:
                gone.add(digest)
                del counts[digest]
        left = Membership(salt, self.membership.patients - gone, self.membership.images - images)
        unlearned = self.unlearned + len(forgotten)
        return replace(self, membership=left, images_of=counts, identity={}, weights="", unlearned=unlearned)

    def write(self, model: str | Path, *, weights: str = "") -> None:
        """Write the record beside `model`; it holds no ids.

        Args:
            weights: their SHA-256, where they are not there yet.
        """
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
        if self.unlearned:
            content["unlearned"] = self.unlearned
        if self.images_of:
            content["images_of"] = dict(self.images_of)
        if weights or Path(model).is_file():
            content["weights"] = weights or file_digest(model)
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
