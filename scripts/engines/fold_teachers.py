"""Fold teachers one by one, as models to compare with: none of them saw the forget patients of its fold."""

from __future__ import annotations

from pathlib import Path

from scripts.cohort import Cohort
from scripts.cohort.provenance import check_fold_teacher, check_reference_class
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import model_path, place_teacher
from scripts.engines.reference import member_paths
from scripts.errors import InputError
from torch import nn


def load_fold_teachers(
    *,
    cohort: Cohort,
    network: nn.Module,
    model_dir: str | Path,
    arithmetic: Arithmetic,
    trust_unrecorded: bool = False,
) -> dict[int, list[nn.Module]]:
    """Fold -> its members, for each fold that holds a forget patient; empty where a fold has none.

    Unlike `load_fold_reference`, which a loss depends on, nothing is refused: where a fold teacher may not be asked
    the reason is printed, and there are none.

    Args:
        network: the architecture; it is copied.
        trust_unrecorded: whether fold teachers without a record of who was in them may pass, with a warning.
    """
    folds = sorted({cohort.fold_of(record) for record in cohort.forget})
    if any(fold < 0 or not model_path(model_dir=str(model_dir), model_name="", fold=fold).is_file() for fold in folds):
        return {}
    found: dict[int, list[nn.Module]] = {}
    try:
        check_reference_class(cohort)
        for fold in folds:
            own = [record for record in cohort.forget if cohort.fold_of(record) == fold]
            paths = member_paths(model_dir, fold)
            for path in paths:
                check_fold_teacher(path, cohort, own, trust_unrecorded=trust_unrecorded)
            found[fold] = [place_teacher(network=network, path=path, arithmetic=arithmetic) for path in paths]
    except InputError as error:
        print(f"warning: the fold teachers are not attacked for comparison: {error}", flush=True)
        return {}
    return found
