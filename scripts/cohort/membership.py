"""Who was in the training of a model, as salted digests: the model can be asked about a patient, and names nobody."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import InputError

DIGEST_DIGITS = 64  # hexadecimal digits of a SHA-256


def salted(salt: str, kind: str, value: str) -> str:
    """HMAC-SHA256 of `kind` and `value` under `salt`, in hexadecimal; a patient and an image of one name differ."""
    return hmac.new(salt.encode(), f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()


def record_path(model: str | Path) -> Path:
    """The record beside the weights: `model.json` for `model.pt`."""
    return Path(model).with_suffix(".json")


@dataclass(frozen=True)
class Membership:
    """Patients and images that a model was trained on, each as `salted(salt, "patient" | "image", id)`."""

    salt: str
    patients: frozenset[str]
    images: frozenset[str]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], salt: str) -> Membership:
        """The membership of a model that is trained on exactly `records`."""
        records = list(records)
        patients = {str(record["patient_id"]) for record in records}
        return cls(
            salt=salt,
            patients=frozenset(salted(salt, "patient", patient) for patient in patients),
            images=frozenset(salted(salt, "image", str(record["image_id"])) for record in records),
        )

    @classmethod
    def read(cls, model: str | Path) -> Membership | None:
        """The membership in the record beside `model`; None where there is no record, or one of the old form.

        Raises:
            InputError: the record cannot be read; it is named.
        """
        content = read_json_object(record_path(model))
        if content is None or "membership" not in content:
            return None
        return cls.from_json(content["membership"], where=record_path(model))

    @classmethod
    def from_json(cls, content: Any, *, where: str | Path) -> Membership:
        """The membership that `as_json` wrote.

        Raises:
            InputError: the content has another form; `where` is named.
        """
        if not isinstance(content, dict) or set(content) != {"salt", "patients", "images"}:
            raise InputError(f"{where}: membership must hold salt, patients and images, and nothing else")
        if not isinstance(content["salt"], str) or not content["salt"]:
            raise InputError(f"{where}: the salt of membership must be a text that is not empty")
        for name in ("patients", "images"):
            if not isinstance(content[name], list) or not all(is_digest(value) for value in content[name]):
                raise InputError(f"{where}: {name} of membership must be a list of SHA-256 digests")
        return cls(content["salt"], frozenset(content["patients"]), frozenset(content["images"]))

    def as_json(self) -> dict[str, Any]:
        """For the record beside the weights: no ids, sorted, so that the order tells nothing."""
        return {"salt": self.salt, "patients": sorted(self.patients), "images": sorted(self.images)}

    def saw(self, patient: str) -> bool:
        """Whether any image of `patient` was trained on."""
        return salted(self.salt, "patient", str(patient)) in self.patients

    def saw_image(self, image_id: str) -> bool:
        """Whether the image was trained on."""
        return salted(self.salt, "image", str(image_id)) in self.images


def is_digest(value: Any) -> bool:
    """Whether `value` is a SHA-256 in lower hexadecimal digits."""
    return isinstance(value, str) and len(value) == DIGEST_DIGITS and set(value) <= set("0123456789abcdef")


def read_json_object(path: str | Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no file.

    Raises:
        InputError: the path is no file, or does not hold a JSON object.
    """
    path = Path(path)
    if not path.exists() and not path.is_symlink():
        return None
    if not path.is_file():
        raise InputError(f"{path}: is not a file; it must be a record in JSON")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a readable record in JSON") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not a readable record: it must hold one JSON object")
    return content


@dataclass(frozen=True)
class Teacher:
    """The model that a cohort is resolved for, as far as its record says who was in it.

    Attributes:
        path: of the weights, for messages.
        membership: who was in it; None where it has no record, and the split is trusted.
    """

    path: Path
    membership: Membership | None = None

    def saw(self, record: Mapping[str, Any]) -> bool | None:
        """Whether the model was trained on the record's image; None where that is not on record."""
        return None if self.membership is None else self.membership.saw_image(record["image_id"])
