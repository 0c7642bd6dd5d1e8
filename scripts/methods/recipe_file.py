"""`recipe.json` in the folder of the pool: what preparation found for a teacher, by method."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.cohort.membership import is_digest
from scripts.errors import InputError
from scripts.files import read_json, write_json
from scripts.identity import file_digest
from scripts.methods.recipe import SETTINGS as NAMES
from scripts.methods.registry import NAMES as METHODS
from scripts.settings.schema import SETTINGS
from scripts.settings.values import read_value

FILE_NAME = "recipe.json"
FORMAT = 1
REMEDY = "remove it, or run prepare again"


@dataclass(frozen=True)
class RecipeFile:
    """What preparation found.

    Attributes:
        teacher: digest of the teacher's file, for which alone it holds.
        preference: methods, the best first.
        reasons: method -> one sentence that says where it stands.
        settings: method -> settings of its recipe, by the names of a config.
        calibrated_on: patients of the mock requests, as salted digests: nobody qualifies the procedure on them.
        trials: what was tried on mock requests, and what was measured of each: for a reader.
        tuning: method -> what finding its settings by `tune` cost: `cpu_seconds` and `trials`.
    """

    teacher: str
    preference: Sequence[str]
    reasons: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]
    calibrated_on: Sequence[str] = ()
    trials: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    tuning: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write it into the folder of the pool."""
        content = {
            "format": FORMAT,
            "teacher": self.teacher,
            "preference": list(self.preference),
            "reasons": dict(self.reasons),
            "settings": {name: dict(own) for name, own in self.settings.items()},
            "calibrated_on": list(self.calibrated_on),
            "trials": [dict(trial) for trial in self.trials],
            "tuning": {name: dict(cost) for name, cost in self.tuning.items()},
        }
        write_json(folder / FILE_NAME, content)
        return folder / FILE_NAME

    @classmethod
    def read(cls, folder: Path) -> RecipeFile | None:
        """The file in a folder; None where there is none.

        Raises:
            InputError: it is damaged, or names methods or settings that there are not.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return None
        found = read_json(path, remedy=REMEDY)
        if found.get("format") != FORMAT:
            raise InputError(
                f"{path}: format '{found.get('format')}' is unknown; this version reads {FORMAT}; {REMEDY}"
            )
        teacher, preference, trials = found.get("teacher"), found.get("preference"), found.get("trials", [])
        reasons: Any = found.get("reasons")
        settings: Any = found.get("settings")
        texts, tables = isinstance(teacher, str), isinstance(reasons, dict) and isinstance(settings, dict)
        if not isinstance(preference, list) or not (texts and tables and isinstance(trials, list)):
            raise InputError(f"{path}: is damaged, not what this bundle writes; {REMEDY}")
        for name in [*preference, *settings]:
            if name not in METHODS:
                raise InputError(f"{path}: method '{name}' is not one of {', '.join(METHODS)}; {REMEDY}")
        if not all(isinstance(reasons.get(name), str) and name in settings for name in preference):
            raise InputError(f"{path}: a method of the preference has no reason or no settings; {REMEDY}")
        checked = {method: _checked(path, method, own) for method, own in settings.items()}
        on = found.get("calibrated_on", [])
        if not isinstance(on, list) or not all(is_digest(one) for one in on):
            raise InputError(f"{path}: is damaged, 'calibrated_on' is no list of digests; {REMEDY}")
        tuning = found.get("tuning", {})
        sound = isinstance(tuning, dict) and all(
            isinstance(cost, dict) and isinstance(cost.get("cpu_seconds"), int | float) for cost in tuning.values()
        )
        if not sound:
            raise InputError(f"{path}: is damaged, 'tuning' does not say what it cost; {REMEDY}")
        return cls(str(teacher), [str(name) for name in preference], reasons, checked, tuple(on), trials, tuning)

    @classmethod
    def of_teacher(cls, folder: Path, *, teacher: Path, ancestors: Collection[str] = ()) -> RecipeFile | None:
        """The file where it was made for this teacher, or for what it descends from by requests to forget.

        Args:
            ancestors: digests of the models that the teacher descends from.

        Returns:
            None, with a word on the terminal, where it is of another teacher.
        """
        found = cls.read(folder)
        if found is None or not teacher.is_file() or found.teacher in {file_digest(teacher), *ancestors}:
            return found
        print(f"warning: {folder / FILE_NAME} was made for another teacher and is not used", flush=True)
        return None


def _checked(path: Path, method: str, own: Any) -> dict[str, Any]:
    """Settings of one recipe, of the right type and range."""
    if not isinstance(own, dict):
        raise InputError(f"{path}: the settings of '{method}' are damaged; {REMEDY}")
    for name in own:
        if name not in NAMES:
            raise InputError(f"{path}: '{name}' is no setting of a recipe; {REMEDY}")
    try:
        return {name: read_value(SETTINGS[name], value) for name, value in own.items()}
    except InputError as error:
        raise InputError(f"{path}: {error}; {REMEDY}") from error
