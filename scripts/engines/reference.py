"""What a model that never saw a patient says of it: the calibrated prediction of that patient's fold teachers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scripts.cohort import Cohort
from scripts.cohort.provenance import check_fold_teacher, check_reference_class
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import model_path, place_teacher
from scripts.engines.predict import Rows, predict
from scripts.errors import InputError
from scripts.tasks import Task
from torch import nn


class FoldReference:
    """Fold teachers and the factors that bring each fold to the teacher's calibration.

    A fold answers with the logit of the mean probability of its members, models of other seeds, times
    `k = score_teacher(selection) / score_fold(selection)`. One member's own errors on a patient would become
    the student's; their mean is nearer to what models without that patient have in common. Models of other seeds
    differ in confidence by a third, and a mean is less confident than its members: hence k, taken after the mean.

    Args:
        networks: fold -> its members, frozen networks.
        factors: fold -> k.
        folds: patient -> the fold that left the patient out.
        teacher_selection: the teacher measured on the selection set, by which the factors were found.
    """

    def __init__(
        self,
        *,
        networks: Mapping[int, Sequence[nn.Module]],
        factors: Mapping[int, float],
        folds: Mapping[str, int],
        task: Task,
        arithmetic: Arithmetic,
        teacher_selection: Rows | None = None,
    ) -> None:
        self.teacher_selection = teacher_selection
        self.networks = {fold: FoldMean(members, task=task) for fold, members in networks.items()}
        self.factors = dict(factors)
        self.folds = dict(folds)
        self.arithmetic = arithmetic

    @torch.no_grad()
    def logits(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """Calibrated logits of each image under the teachers of its patient's fold."""
        folds = [self.folds[patient] for patient in batch["patient_id"]]
        found: dict[int, torch.Tensor] = {}
        for fold in sorted(set(folds)):
            rows = torch.tensor([i for i, own in enumerate(folds) if own == fold], device=batch["image"].device)
            z = self.arithmetic.logits(self.networks[fold], batch["image"][rows]) * self.factors[fold]
            found.update({int(row): z[i] for i, row in enumerate(rows.tolist())})
        return torch.stack([found[i] for i in range(len(folds))])


class FoldMean(nn.Module):
    """Logit of the mean probability of several networks; of one network, its own logits."""

    def __init__(self, members: Sequence[nn.Module], *, task: Task) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.task = task

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = [network(image).float() for network in self.members]
        if len(found) == 1:
            return found[0]
        return self.task.mean_of(torch.stack(found))


def load_fold_reference(
    *,
    cohort: Cohort,
    records: Sequence[dict[str, Any]],
    network: nn.Module,
    teacher: nn.Module,
    model_dir: str | Path,
    selection: Callable[[], Iterable[dict]],
    task: Task,
    arithmetic: Arithmetic,
    wanted: bool = True,
    trust_unrecorded: bool = False,
    known: Mapping[int, tuple[float, float]] | None = None,
) -> FoldReference | None:
    """The fold teachers in `model_dir` that the forget patients need; see `member_paths`.

    Args:
        records: the forget records that are asked about.
        network: the architecture; it is copied.
        selection: gives the selection set, which is looked at only where a score is not known.
        known: fold -> mean scores of teacher and fold on the selection set, as preparation measured them.
        wanted: None is returned where the recipe needs no reference.
        trust_unrecorded: whether fold teachers without a record of who was in them may pass, with a warning.

    Raises:
        InputError: a score is not known and the selection set is empty; a fold teacher is missing, was trained on what
            is to be forgotten, or has no record of who was in it; a class is to be forgotten, which the fold teachers
            know.
    """
    if not wanted:
        return None
    check_reference_class(cohort)
    folds = {record["patient_id"]: cohort.fold_of(record) for record in records}
    paths = {fold: member_paths(model_dir, fold) for fold in sorted(set(folds.values()))}
    for fold, members in paths.items():
        own_records = [record for record in records if folds[record["patient_id"]] == fold]
        for path in members:
            check_fold_teacher(path, cohort, own_records, trust_unrecorded=trust_unrecorded)
    networks: dict[int, list[nn.Module]] = {}
    factors: dict[int, float] = {}
    known = known or {}
    unknown = set(paths) - set(known)
    batches = list(selection()) if unknown else []
    if unknown and not batches:
        raise InputError("the selection set is empty; allowed are splits that leave images in it")
    own = predict(teacher, batches, task=task, arithmetic=arithmetic) if unknown else None
    for fold, members in paths.items():
        networks[fold] = [place_teacher(network=network, path=path, arithmetic=arithmetic) for path in members]
        if own is None or fold in known:
            factors[fold] = calibration(*known[fold])
        else:
            held_out = predict(FoldMean(networks[fold], task=task), batches, task=task, arithmetic=arithmetic)
            factors[fold] = calibration(own.mean("score"), held_out.mean("score"))
    return FoldReference(
        networks=networks, factors=factors, folds=folds, task=task, arithmetic=arithmetic, teacher_selection=own
    )


def used_members(cohort: Cohort, model_dir: str | Path) -> list[Path]:
    """The files of all fold teachers that the forget patients need."""
    folds = sorted({cohort.fold_of(record) for record in cohort.forget})
    return [path for fold in folds for path in member_paths(model_dir, fold)]


def member_paths(model_dir: str | Path, fold: int) -> list[Path]:
    """The teachers of a fold: `model_fold<k>.pt`, then `model_fold<k>_1.pt`, `model_fold<k>_2.pt`, ... without a gap.

    Raises:
        InputError: there is none, or the patients are in no fold.
    """
    if fold < 0:
        raise InputError(
            f"{model_dir}: the patients to forget are in no fold; make fold teachers once (run prepare), or set"
            " reference: none"
        )
    found: list[Path] = []
    while (path := model_path(model_dir=str(model_dir), model_name="", fold=fold, member=len(found))).is_file():
        found.append(path)
    if not found:
        raise InputError(
            f"{path}: no fold teacher for the patients to forget; make the pool once (run prepare), or set reference:"
            " none"
        )
    return found


def calibration(teacher: float, fold: float) -> float:
    """Factor on the fold's logits, bounded to 1/3..3: a useless fold teacher must not blow the target up."""
    if fold <= 0 or teacher <= 0:
        return 1.0
    return min(3.0, max(1 / 3, teacher / fold))
