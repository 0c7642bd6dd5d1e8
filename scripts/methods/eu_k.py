"""EU-k (Goel et al., arXiv 2201.06640): the last k layers begin anew and are trained, the others stay."""

from __future__ import annotations

from scripts.methods.cf_k import CatastrophicForgettingK
from scripts.methods.method import Context
from scripts.student.initial import reinitialised
from scripts.student.last_layers import LastLayersStudent
from scripts.student.student import Student


class ExactUnlearningK(CatastrophicForgettingK):
    """As CF-k, from fresh weights in those layers. What the layers below know of the patients stays."""

    name = "eu_k"

    def student(self, context: Context) -> Student:
        student = super().student(context)
        assert isinstance(student, LastLayersStudent)
        reinitialised(student.network.inner, seed=context.seed, names=student.layers)
        return student
