"""SalUn with undecided targets for critical classes (SalUn-CRA, arXiv 2604.23854)."""

from __future__ import annotations

from scripts.errors import InputError
from scripts.methods.method import Context
from scripts.methods.salun import SalUn
from scripts.student.student import Student


class SalUnCRA(SalUn):
    """As SalUn; a forget image of a critical class is drawn to the uniform answer, and not to another class."""

    name = "salun_cra"
    own = ("saliency_share", "critical_classes")
    only_classes = True
    published = {"forget_objective": "critical_label", "saliency_share": 0.5}

    def student(self, context: Context) -> Student:
        if not self.recipe.critical_classes:
            raise InputError(
                "critical_classes: nothing is given; salun_cra needs the classes whose images must not become another,"
                " such as --critical_classes [1]"
            )
        return super().student(context)
