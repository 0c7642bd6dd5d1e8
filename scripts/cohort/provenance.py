"""Which split a model was trained on: a small JSON beside the weights, so that no later run uses another one.

Another seed or share would take patients for held out on whom the model was trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import Cohort
from scripts.errors import InputError
from scripts.files import write_json

SPLIT = ("seed", "validation_share", "test_share", "guard_share")


def provenance_path(model: str | Path) -> Path:
    """`model.json` for `model.pt`."""
    return Path(model).with_suffix(".json")


def write_provenance(model: str | Path, cohort: Cohort, *, fold: int = -1, **settings: Any) -> None:
    """Write data set, split and further plain settings; no ids."""
    split = {name: cohort.resolution["settings"][name] for name in (*SPLIT, "folds")}
    content = {"data_set": cohort.resolution["data_set"], "split": split, "fold": fold, "training": settings}
    write_json(provenance_path(model), content)


def check_provenance(model: str | Path, cohort: Cohort) -> Path:
    """The path of the weights, after comparing their split with the cohort's; weights without a record pass.

    Raises:
        InputError: another data set or split; the setting is named.
    """
    record = provenance_path(model)
    if not record.is_file():
        return Path(model)
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        before = {"data_set": content["data_set"], **content["split"]}
        fold = int(content["fold"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record}: not a readable record of a training; remove it to go on without") from error
    now = {"data_set": cohort.resolution["data_set"], **cohort.resolution["settings"]}
    for name in ("data_set", *SPLIT, *(("folds",) if fold >= 0 else ())):
        if before[name] != now[name]:
            setting = "split_seed" if name == "seed" else name
            raise InputError(
                f"{model}: was trained with {setting} = {before[name]!r}, not {now[name]!r};"
                " give the settings of its training, or its patients would not be where they were"
            )
    return Path(model)
