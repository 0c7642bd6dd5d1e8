"""Fold models that were trained already, as nnU-Net leaves them: five models, and a file that says who each lacks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.cohort import Cohort
from scripts.cohort.cohort import Record
from scripts.cohort.membership import record_path
from scripts.cohort.model_record import STATED, ModelRecord
from scripts.cohort.split_file import RecordedSplit
from scripts.data.notices import counted
from scripts.data.source import files_of
from scripts.engines.models import model_path
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.student.teacher import load_teacher, read_state
from torch import nn

LEAST = 2


def read_fold_lists(path: str | Path) -> list[frozenset[str]]:
    """Names of the images that each fold's model was trained without: `[{"train": [...], "val": [...]}, ...]`.

    Raises:
        InputError: no such file, or another form.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"fold_lists: {path}: no such file; give the JSON file that says whom each fold model lacks")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"fold_lists: {path}: not a readable JSON file ({error})") from error
    sound = isinstance(content, list) and len(content) >= LEAST
    if not sound or not all(isinstance(one, dict) and isinstance(one.get("val"), list) for one in content):
        raise InputError(
            f"fold_lists: {path}: must hold a list of at least {LEAST} objects with lists 'train' and 'val'"
        )
    return [frozenset(str(name) for name in one["val"]) for one in content]


def folds_of(records: Iterable[Record], lists: Sequence[frozenset[str]], *, where: str | Path) -> dict[str, int]:
    """Patient -> the fold whose model never saw him.

    An image is known by its file's name without suffix, or by what stands in it before a channel's number (`_0000`).

    Raises:
        InputError: an image of nobody's fold, or a patient with images in two folds.
    """
    found: dict[str, int] = {}
    lost, torn = [], []
    for record in records:
        name = Path(files_of(record["image"])[0]).name.split(".", 1)[0]
        folds = {fold for fold, names in enumerate(lists) if name in names or name.rpartition("_")[0] in names}
        if len(folds) != 1:
            lost.append(name)
            continue
        (fold,) = folds
        if found.setdefault(record["patient_id"], fold) != fold:
            torn.append(record["patient_id"])
    if lost:
        raise InputError(
            f"fold_lists: {where}: {len(lost)} training images stand in no or several folds: {counted(lost)}"
        )
    if torn:
        raise InputError(
            f"fold_lists: {where}: {len(torn)} patients have images in two folds: {counted(torn)}; each model knows"
            " them, and none can say what models without them answer"
        )
    return found


def with_given_folds(split: RecordedSplit, folds: Mapping[str, int], *, count: int) -> RecordedSplit:
    """The split whose training patients are in the folds that models were trained with."""
    own = {split.digest(patient): fold for patient, fold in folds.items()}
    return replace(split, folds=count, fold=own)


def adopt_fold_models(
    paths: Sequence[str], *, cohort: Cohort, network: nn.Module, folder: str | Path, settings: Mapping[str, Any]
) -> None:
    """Copy the fold models into a pool's folder, each with the record that its fold states, where they are not there.

    Args:
        paths: of the weights, in the order of the folds.
        network: of the bundle, untrained; it is filled.

    Raises:
        InputError: more or fewer models than folds; weights that cannot be read, or of another network.
    """
    folds = cohort.recorded.folds if cohort.recorded is not None else 0
    if len(paths) != folds:
        raise InputError(f"fold_models: {len(paths)} models for {folds} folds; give one for each, in their order")
    for fold, given in enumerate(paths):
        load_teacher(network, given)
        target = model_path(model_dir=str(folder), model_name="", fold=fold)
        if target.is_file():
            continue
        record_path(target).unlink(missing_ok=True)
        write_tensors(target, read_state(given))
        ModelRecord.of(cohort, fold=fold, settings={**settings, STATED: True}).write(target)
    print(f"{folds} fold models taken over; whom each lacks is what their lists state", flush=True)
