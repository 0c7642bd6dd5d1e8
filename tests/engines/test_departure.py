"""How far an answer is from the teacher's, against closed forms."""

from __future__ import annotations

import pytest
import torch
from scripts.engines.departure import LEAST, departure


def test_a_structure_taken_away_has_departure_one() -> None:
    teacher = torch.full((2, 1, 10, 10), -50.0)
    teacher[:, :, :4, :5] = 50.0
    student = teacher.clone()
    student[1] = -50.0
    assert departure(student, teacher).tolist() == pytest.approx([0, 1])


def test_a_tiny_structure_is_measured_against_the_image() -> None:
    teacher = torch.full((1, 1, 100, 100), -50.0)
    student = teacher.clone()
    student[..., :2, :50] = 50.0
    assert departure(student, teacher).item() == pytest.approx(100 / (LEAST * 10_000))


def test_classes_by_total_variation() -> None:
    student, teacher = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[100.0, 0.0], [2.0, 0.0]])
    assert departure(student, teacher).tolist() == pytest.approx([0.5, 0])
