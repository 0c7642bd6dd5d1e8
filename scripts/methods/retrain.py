"""Training without the patients, from the first step on: what every other method is held against."""

from __future__ import annotations

import torch
from scripts.methods.baseline import WithoutSteps
from scripts.methods.method import Context
from scripts.student.student import Student
from scripts.student.teacher import read_state


class Retrain(WithoutSteps):
    """theta = the training of the teacher on the retain set, by the settings in the teacher's record and `seed`."""

    name = "retrain"
    can_be_exact = True
    is_exact = True

    def act(self, student: Student, context: Context) -> None:
        state = read_state(context.retrained())
        with torch.no_grad():
            student.network.inner.load_state_dict(state)
