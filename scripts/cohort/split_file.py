"""The split as an asset: written once at the first training, kept and read ever after; it holds no ids.

Who is in it stays in his place and fold, whoever leaves or comes. Who is new goes where the data set prescribes, or
else where two hashes of his salted digest send him: the places of the others have no part in it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.cohort.membership import is_digest, read_json_object, salted
from scripts.cohort.placement import fits_nowhere, hashed_fold, hashed_place
from scripts.cohort.split import (
    AUTO_FOLDS,
    PLACES,
    Split,
    check_share,
    number_of_folds,
    official_places,
    ranked,
    split_units,
)
from scripts.errors import InputError
from scripts.files import write_json

FILE_NAME = "split.json"
VERSION = 1
SETTINGS = ("data_set", "seed", "validation_share", "test_share", "guard_share")
SETTING_NAMES = {"data_set": "dataset_name", "seed": "split_seed"}  # where a config calls them otherwise
SALT_BYTES = 16


@dataclass(frozen=True)
class RecordedSplit:
    """Place and fold per patient, by salted digest.

    Attributes:
        salt: of all digests; random.
        settings: by which the split was made: `SETTINGS`.
        folds: number of folds; 0 where none was asked for yet.
        places: digest -> one of `PLACES`.
        fold: digest of a training patient -> the fold whose teacher is trained without him.
        path: the file it was read from, for messages.
    """

    salt: str
    settings: Mapping[str, Any]
    folds: int
    places: Mapping[str, str]
    fold: Mapping[str, int]
    path: str = ""

    @classmethod
    def first(
        cls,
        records: Iterable[Mapping[str, Any]],
        *,
        data_set: str,
        seed: int,
        validation_share: float,
        test_share: float,
        guard_share: float,
        folds: int | str = 0,
        salt: str = "",
    ) -> RecordedSplit:
        """The split of a data set that has none yet, by the rule of `split_units`.

        Raises:
            InputError: as `split_units`.
        """
        shares = {"validation_share": validation_share, "test_share": test_share, "guard_share": guard_share}
        split = split_units(records, seed=seed, folds=folds, **shares)
        made = cls(
            salt=salt or secrets.token_hex(SALT_BYTES),
            settings={"data_set": data_set, "seed": seed, **shares},
            folds=number_of_folds(folds, patients=list(split.place.values()).count("training")),
            places={},
            fold={},
        )
        return made._extended(split.place, split.folds)

    @classmethod
    def read(cls, path: str | Path) -> RecordedSplit | None:
        """The split in a file; None where there is no file.

        Raises:
            InputError: the file holds something else; it is named.
        """
        content = read_json_object(path)
        if content is None:
            return None
        if content.get("version") != VERSION or set(content) != {"version", "salt", "settings", "folds", "patients"}:
            raise InputError(f"{path}: is not a recorded split of version {VERSION}; restore the file of the training")
        salt, settings, folds, patients = (content[name] for name in ("salt", "settings", "folds", "patients"))
        if not isinstance(salt, str) or not salt:
            raise InputError(f"{path}: the salt must be a text that is not empty")
        if not isinstance(settings, dict) or set(settings) != set(SETTINGS):
            raise InputError(f"{path}: settings must hold {', '.join(SETTINGS)}, and nothing else")
        for name in SETTINGS[2:]:
            check_share(f"{path}: {name}", settings[name])
        if isinstance(folds, bool) or not isinstance(folds, int) or folds < 0 or folds == 1:
            raise InputError(f"{path}: folds must be 0 or a whole number from 2")
        if not isinstance(patients, dict):
            raise InputError(f"{path}: patients must be an object of digests")
        for digest, entry in patients.items():
            _check_entry(digest, entry, folds=folds, path=path)
        return cls(
            salt=salt,
            settings=settings,
            folds=folds,
            places={digest: entry["place"] for digest, entry in patients.items()},
            fold={digest: entry["fold"] for digest, entry in patients.items() if "fold" in entry},
            path=str(path),
        )

    def write(self, path: str | Path) -> None:
        """Write the split to a file that its owner alone can read."""
        patients: dict[str, dict[str, Any]] = {digest: {"place": place} for digest, place in self.places.items()}
        for digest, fold in self.fold.items():
            patients[digest]["fold"] = fold
        content = {"version": VERSION, "salt": self.salt, "settings": dict(self.settings), "folds": self.folds}
        write_json(path, {**content, "patients": patients})
        os.chmod(path, 0o600)

    def check_settings(self, **now: Any) -> None:
        """Compare the settings of the split with those of this run.

        Raises:
            InputError: one differs; it is named with both values.
        """
        for name in SETTINGS:
            if name in now and self.settings[name] != now[name]:
                setting = SETTING_NAMES.get(name, name)
                raise InputError(
                    f"{self.path or FILE_NAME}: the split was made with {setting} = {self.settings[name]!r}, not"
                    f" {now[name]!r}; give the settings of the training, or another model_dir"
                )

    def with_folds(self, folds: int | str, units: Iterable[str] = ()) -> RecordedSplit:
        """The split with `folds` folds, where it has another number of them.

        Args:
            folds: their number; `AUTO_FOLDS` leaves those that there are.
            units: patients of the data set, whose folds are then equally large; who has left goes by his digest.

        Raises:
            InputError: a number of folds that is not allowed.
        """
        if not folds or folds == self.folds or (folds == AUTO_FOLDS and self.folds):
            return self
        training = [unit for unit in units if self.places.get(self.digest(unit)) == "training"]
        folds = number_of_folds(folds, patients=len(training))
        fold = {digest: hashed_fold(digest, folds) for digest, place in self.places.items() if place == "training"}
        order = ranked(training, seed=self.settings["seed"])
        fold.update({self.digest(unit): rank % folds for rank, unit in enumerate(order)})
        return replace(self, folds=folds, fold=fold)

    def extended(self, records: Iterable[Mapping[str, Any]]) -> RecordedSplit:
        """The split with the patients who are new in `records`; nobody else moves."""
        official, _ = official_places(records)
        new = {unit: place for unit, place in official.items() if self.digest(unit) not in self.places}
        prescribed = set(official.values())
        # As in the first split, a share is taken only of a set that the data set does not prescribe.
        shares = {
            name: float(self.settings[f"{name}_share"]) * (name not in prescribed)
            for name in ("test", "validation", "guard")
        }
        places = {unit: hashed_place(self.digest(unit), place, shares) for unit, place in new.items()}
        folds = {
            unit: hashed_fold(self.digest(unit), self.folds)
            for unit, place in places.items()
            if self.folds and place == "training"
        }
        return self._extended(places, folds)

    def place(self, records: Iterable[Mapping[str, Any]]) -> Split:
        """Place and fold of every patient of `records`, new ones as `extended` places them."""
        records = list(records)
        known = self.extended(records)
        official, _ = official_places(records)
        place = {unit: known.places[self.digest(unit)] for unit in official}
        folds = {unit: known.fold[self.digest(unit)] for unit in official if self.digest(unit) in known.fold}
        out = [
            record["image_id"]
            for record in records
            if fits_nowhere(record, place=place[record["patient_id"]], official=official[record["patient_id"]])
        ]
        return Split(place, folds, tuple(sorted(out)))

    def merged(self, there: RecordedSplit) -> RecordedSplit:
        """This split together with what another training added to the file meanwhile; both have one salt."""
        folds = self.folds or there.folds
        places = {**self.places, **there.places}
        known = {**there.fold, **self.fold} if there.folds == folds else self.fold
        training = [digest for digest, place in places.items() if folds and place == "training"]
        fold = {digest: known[digest] if digest in known else hashed_fold(digest, folds) for digest in training}
        return replace(self, folds=folds, places=places, fold=fold)

    def without(self, units: Iterable[str]) -> RecordedSplit:
        """The split without some patients: nothing is written of them."""
        out = {self.digest(unit) for unit in units}
        return replace(
            self,
            places={digest: place for digest, place in self.places.items() if digest not in out},
            fold={digest: fold for digest, fold in self.fold.items() if digest not in out},
        )

    def digest(self, patient: str) -> str:
        """How a patient is written in the file."""
        return salted(self.salt, "patient", str(patient))

    def _extended(self, places: Mapping[str, str], folds: Mapping[str, int]) -> RecordedSplit:
        return replace(
            self,
            places={**self.places, **{self.digest(unit): place for unit, place in places.items()}},
            fold={**self.fold, **{self.digest(unit): fold for unit, fold in folds.items()}},
        )


def _check_entry(digest: Any, entry: Any, *, folds: int, path: str | Path) -> None:
    place = entry.get("place") if isinstance(entry, dict) else None
    if not is_digest(digest) or place not in PLACES or not set(entry) <= {"place", "fold"}:
        raise InputError(f"{path}: an entry of patients is not a SHA-256 digest with a place of {', '.join(PLACES)}")
    fold = entry.get("fold")
    if place == "training" and folds:
        if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < folds:
            raise InputError(f"{path}: a training patient has no fold from 0 to {folds - 1}")
    elif "fold" in entry:
        raise InputError(f"{path}: a patient has a fold who is not in training, or where there are no folds")
