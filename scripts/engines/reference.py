"""What a model that never saw a patient says of it: the calibrated prediction of that patient's fold teacher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scripts.cohort import Cohort
from scripts.cohort.provenance import check_provenance
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.engines.predict import predict
from scripts.errors import InputError
from scripts.tasks import Task


class FoldReference:
    """Fold teachers and the factors that bring each to the teacher's calibration.

    Models of other seeds differ in confidence by a third; each fold's logits are multiplied by
    `k = score_teacher(selection) / score_fold(selection)`. One fold per patient, not the mean of
    several: averaging shrinks the target.

    Args:
        networks: fold -> frozen network.
        factors: fold -> k.
        folds: patient -> the fold that left the patient out.
    """

    def __init__(
        self,
        *,
        networks: Mapping[int, nn.Module],
        factors: Mapping[int, float],
        folds: Mapping[str, int],
        arithmetic: Arithmetic,
    ) -> None:
        self.networks = dict(networks)
        self.factors = dict(factors)
        self.folds = dict(folds)
        self.arithmetic = arithmetic

    @torch.no_grad()
    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Calibrated logits of each image under the teacher of its patient's fold."""
        folds = [self.folds[patient] for patient in batch["patient_id"]]
        found: dict[int, torch.Tensor] = {}
        for fold in sorted(set(folds)):
            rows = torch.tensor([i for i, own in enumerate(folds) if own == fold], device=batch["image"].device)
            z = self.arithmetic.logits(self.networks[fold], batch["image"][rows]) * self.factors[fold]
            found.update({int(row): z[i] for i, row in enumerate(rows.tolist())})
        return torch.stack([found[i] for i in range(len(folds))])


def _mean_score(network: nn.Module, batches: Iterable[dict], task: Task, arithmetic: Arithmetic) -> float:
    return predict(network, batches, task=task, arithmetic=arithmetic).mean("score")


def load_fold_reference(
    *,
    cohort: Cohort,
    network: nn.Module,
    teacher: nn.Module,
    model_dir: str | Path,
    selection: Iterable[dict],
    task: Task,
    arithmetic: Arithmetic,
    wanted: bool = True,
) -> FoldReference | None:
    """The fold teachers `model_fold<k>.pt` of `model_dir` that the forget patients need.

    Args:
        network: the architecture; it is copied.
        wanted: None is returned where the recipe needs no reference.

    Raises:
        InputError: a fold teacher is missing.
    """
    if not wanted:
        return None
    folds = {record["patient_id"]: cohort.fold_of(record) for record in cohort.forget}
    networks, factors = {}, {}
    selection = list(selection)
    own = _mean_score(teacher, selection, task, arithmetic)
    for fold in sorted(set(folds.values())):
        path = Path(model_dir) / f"model_fold{fold}.pt"
        if not path.is_file():
            raise InputError(
                f"{path}: no fold teacher for the patients to forget; train the pool once"
                " (run train ... --folds K, the same K) or set reference: none"
            )
        check_provenance(path, cohort)
        networks[fold] = place_teacher(network=network, path=path, arithmetic=arithmetic)
        factors[fold] = calibration(own, _mean_score(networks[fold], selection, task, arithmetic))
    return FoldReference(networks=networks, factors=factors, folds=folds, arithmetic=arithmetic)


def calibration(teacher: float, fold: float) -> float:
    """Factor on the fold's logits, bounded to 1/3..3: a useless fold teacher must not blow the target up."""
    if fold <= 0 or teacher <= 0:
        return 1.0
    return min(3.0, max(1 / 3, teacher / fold))
