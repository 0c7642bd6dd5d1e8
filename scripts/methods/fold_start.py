"""Fold start: begin at the member of the pool that never saw the patients, and bring it to the teacher.

    L = T^2 BCE(z / T, sigma(z_T / T)) + .05 mean((z - z_T)^2) + supervised_weight * L_supervised   on retain images,

T = 2, z_T the teacher's logits; guard images without the last term. No image of the patients is opened. Where the
request reaches over several folds it begins at the member that is clean of most of the patients; the images of the
others are unlearned by what their own folds' members say of them, as Erase to Retain does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import NO_FOLD, Cohort, Record
from scripts.engines.models import model_path
from scripts.errors import InputError
from scripts.methods.erase_to_retain import UNLEARN
from scripts.methods.method import Context, Method
from scripts.student.student import Student
from scripts.tasks.registry import build_task

MOSTLY = 0.5  # share of the forget images of which the fold to start from must be clean, to be taken by itself
DEFAULTS = {
    **UNLEARN,
    "trainable": "all",
    # 120 steps at this rate bring retain back to the teacher's level on the phantom: docs/RESULTS.md, "Recovery".
    "learning_rate": 5e-4,
    "retain_batch": 16,
    "supervised_weight": 0.5,
    "steps_per_round": 40,
    "max_rounds": 3,
    "min_rounds": 3,
    "stop_at": float("inf"),
    "bisect": False,
}


# On BreastMNIST a ResNet-18 keeps .83 of its accuracy on retain images at 5e-4 and .99 at 1e-4: docs/RESULTS.md,
# "Methods of the field".
CLASSES = {**DEFAULTS, "learning_rate": 1e-4}


class FoldStart(Method):
    """From theta of the fold: L = D(z, z_T) + .05 |z - z_T|^2 + .5 L_supervised on retain images, D at T = 2.

    120 steps of AdamW at 5e-4, for classification at 1e-4.

    With `exact: true` it learns from labels alone: the weights then follow from data that never held the patients.
    Otherwise the teacher's answers on other images are the only way by which anything of them could come in.
    """

    name = "fold_start"
    goals = ("unlearn",)
    needs = ("pool",)
    can_be_exact = True
    opens_patients = False

    @property
    def phases(self) -> tuple[str, ...]:
        """Nothing is to be restored: nothing was taken away."""
        return ("forget",)

    @classmethod
    def defaults(cls, *, goal: str, schedule: str, task: str, reference: str, trainable: str) -> dict[str, Any]:
        """Smaller steps where an image has one class."""
        cls.require_whole(schedule=schedule, trainable=trainable)
        if reference != "fold":
            raise InputError(f"method: '{cls.name}' starts from a fold teacher; reference: {reference} leaves none")
        return dict(DEFAULTS if build_task(task).masks else CLASSES)

    def __init__(self, *, given: Mapping[str, Any], exact: bool = False, **about: str) -> None:
        labels = "supervised"
        if exact:
            # Hard examples are those on which the student strays from the teacher; guard images have no labels.
            given = {**given, "retain_objective": labels, "hard_share": 0.0, "guard_batch": 0}
        elif given.get("retain_objective") == labels and given.get("guard_batch"):
            raise InputError(f"guard_batch: {given['guard_batch']}: guard images have no labels; give guard_batch: 0")
        super().__init__(given=given, exact=exact, **about)

    def check(self, cohort: Cohort) -> None:
        if start_fold(cohort) == NO_FOLD:
            raise InputError(
                f"method: '{self.name}' needs fold teachers, and the patients to forget are in no fold; make the pool"
                " once (run prepare), or set method: erase_to_retain"
            )
        if self.exact and self.looked_at(cohort):
            raise InputError(
                "exact: true needs one fold teacher that saw none of the patients, and they are in several folds; set"
                " exact: false, or make a request for each fold"
            )

    def problem(self, cohort: Cohort, pool: Path) -> str:
        if start_fold(cohort) != NO_FOLD and len(self.looked_at(cohort)) >= MOSTLY * len(cohort.forget):
            return "no fold teacher is clean of most of the images"
        return member_problem(cohort, pool)

    def looked_at(self, cohort: Cohort) -> tuple[Record, ...]:
        """Only images of patients whom the member to start from has seen."""
        start = start_fold(cohort)
        return tuple(record for record in cohort.forget if cohort.fold_of(record) != start)

    def student(self, context: Context) -> Student:
        from scripts.student.whole import WholeStudent

        member = context.member(start_fold(context.cohort))
        return WholeStudent.start(member, teacher=context.teacher, sample=context.sample)


def member_problem(cohort: Cohort, pool: Path) -> str:
    """Why no member of the pool can be begun at, in words that name no patient; empty where one can."""
    start = start_fold(cohort)
    if start == NO_FOLD:
        return "a patient is in no fold"
    if not model_path(model_dir=str(pool), model_name="", fold=start).is_file():
        return "the fold teacher that never saw the patients is not there"
    return ""


def clean_fold(cohort: Cohort, *, method: str) -> int:
    """The fold that all patients to forget were left out of.

    Raises:
        InputError: there is none.
    """
    start = start_fold(cohort)
    if start == NO_FOLD or any(cohort.fold_of(record) != start for record in cohort.forget):
        where = "in no fold" if start == NO_FOLD else "in several folds"
        raise InputError(
            f"method: '{method}' needs one fold teacher that saw none of the patients, and they are {where}; make a"
            " request for each fold, or give another method"
        )
    return start


def start_fold(cohort: Cohort) -> int:
    """The fold that most forget images are left out of, the lowest of several; -1 where one patient is in no fold."""
    counts = Counter(cohort.fold_of(record) for record in cohort.forget)
    if not counts or NO_FOLD in counts:
        return NO_FOLD
    return min(counts, key=lambda fold: (-counts[fold], fold))
