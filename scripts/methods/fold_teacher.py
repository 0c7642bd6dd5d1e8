"""The member of the pool that never saw the patients, as it is: a critic asks for it first."""

from __future__ import annotations

from pathlib import Path

from scripts.cohort.cohort import Cohort
from scripts.methods.baseline import WithoutSteps
from scripts.methods.fold_start import clean_fold, member_problem
from scripts.methods.method import Context
from scripts.student.student import Student


class FoldTeacher(WithoutSteps):
    """theta = theta of the fold that the patients were left out of; it lacks the others of that fold too."""

    name = "fold_teacher"
    needs = ("pool",)
    can_be_exact = True
    is_exact = True

    def check(self, cohort: Cohort) -> None:
        clean_fold(cohort, method=self.name)

    def problem(self, cohort: Cohort, pool: Path) -> str:
        return member_problem(cohort, pool)

    def student(self, context: Context) -> Student:
        from scripts.student.whole import WholeStudent

        member = context.member(clean_fold(context.cohort, method=self.name))
        return WholeStudent.start(member, teacher=context.teacher, sample=context.sample)
