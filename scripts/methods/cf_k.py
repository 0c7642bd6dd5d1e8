"""CF-k (Goel et al., arXiv 2201.06640): the last k layers are trained on, the others stay."""

from __future__ import annotations

from scripts.methods.baseline import RetainOnly
from scripts.methods.method import Context
from scripts.student.last_layers import LastLayersStudent
from scripts.student.student import Student


class CatastrophicForgettingK(RetainOnly):
    """L = L_supervised(retain) over the weights of the last `last_layers` layers; the paper varies their number."""

    name = "cf_k"
    own = ("last_layers",)
    published = {"last_layers": 4}

    def student(self, context: Context) -> Student:
        teacher, count = context.teacher, self.recipe.last_layers
        assert count is not None
        return LastLayersStudent.of_last(teacher, teacher=teacher, sample=context.sample, count=count, live=True)
