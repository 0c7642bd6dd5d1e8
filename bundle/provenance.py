"""What lies beside a model's weights and says who was trained on: its record, its split, its pool."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundle.tasks import TaskBundle
from scripts.cohort.membership import record_path
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import FILE_NAME
from scripts.errors import InputError

# What `run prepare` leaves beside the models for requests to take; prepared images stay where they are.
PREPARED = ("recipe.json", "answers.json", "fingerprints.json")


def copy_provenance(target: Path, model: str | Path | None, task: TaskBundle, *, records: bool | None) -> bool:
    """Copy record and split of the weights to the folder `target`; whether they were.

    Args:
        records: None copies them where the record names the task's own, public data set: there whoever knows an id
            learns from the salted digests what everybody can look up.

    Raises:
        InputError: they are asked for, and there are none.
    """
    if model is None:
        if records:
            raise InputError("--records: needs --model, whose records are copied")
        return False
    beside = {
        record_path(model): record_path(target / "model.pt"),
        Path(model).with_name(FILE_NAME): target / FILE_NAME,
    }
    lacking = [source for source in beside if not source.is_file()]
    if lacking and records:
        raise InputError(f"--records: {lacking[0]}: no such file; the model was not trained by this bundle")
    if records is None and not lacking:
        found = ModelRecord.read(model)
        records = found is not None and found.data_set == task.data_set
    if not records:
        return False
    for source, copy in beside.items():
        shutil.copy(source, copy)
    return True


def copy_pool(target: Path, model: str | Path) -> None:
    """Copy the fold teachers beside `model`, their records, and what `prepare` found.

    Raises:
        InputError: there is no fold teacher, or one without its record.
    """
    stem = Path(model).stem
    found = sorted(Path(model).parent.glob(f"{stem}_fold*.pt"))
    if not found:
        raise InputError(f"--pool: {model}: has no fold teachers beside it; run prepare with this model_dir first")
    for weights in found:
        name = weights.name.replace(stem, "model", 1)
        if not record_path(weights).is_file():
            raise InputError(f"--pool: {record_path(weights)}: no such file; a fold teacher without it is not used")
        shutil.copy(weights, target / name)
        shutil.copy(record_path(weights), record_path(target / name))
    for name in PREPARED:
        if (source := Path(model).with_name(name)).is_file():
            shutil.copy(source, target / name)
