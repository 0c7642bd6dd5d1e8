"""The model that a bundle delivers, as the teacher: its weights, and who was in it as its data list states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.cohort import Cohort
from scripts.cohort.build import record_split
from scripts.cohort.membership import record_path
from scripts.cohort.model_record import STATED, ModelRecord
from scripts.files import write_tensors
from scripts.foreign.bundle import ForeignBundle
from scripts.student.teacher import load_teacher, read_state
from torch import nn


def adopt(
    bundle: ForeignBundle,
    *,
    cohort: Cohort,
    network: nn.Module,
    path: Path,
    split_path: Path,
    settings: Mapping[str, Any],
) -> None:
    """Copy the bundle's weights to `path`, and write beside them the split and who is in them.

    That the model was trained on the bundle's data list, by its config, is what the bundle states; nobody recorded it,
    and the record says so.

    Args:
        cohort: of the bundle's data list, without a request.
        network: of the bundle, untrained; it is filled.
        settings: of its training, as the record of a model of its pool would have them.

    Raises:
        InputError: the weights are missing, hold code, or belong to another network.
    """
    own = bundle.folder.checkpoint
    load_teacher(network, own)
    record_split(split_path, cohort)
    record_path(path).unlink(missing_ok=True)
    write_tensors(path, read_state(own))
    ModelRecord.of(cohort, settings={**settings, STATED: True}).write(path)
    print(
        f"{path.name}: taken over from {bundle.name}; that it was trained on the {len(cohort.retain)} images of the"
        " bundle's data list is what the bundle states",
        flush=True,
    )
