"""How far an answer is from the teacher's, against closed forms."""

from __future__ import annotations

import pytest
import torch
from scripts.tasks.masks import LEAST
from scripts.tasks.registry import TASKS, build_task


def test_a_structure_taken_away_has_departure_one() -> None:
    teacher = torch.full((2, 1, 10, 10), -50.0)
    teacher[:, :, :4, :5] = 50.0
    student = teacher.clone()
    student[1] = -50.0
    assert build_task("segmentation").departure(student, teacher).tolist() == pytest.approx([0, 1])


def test_a_tiny_structure_is_measured_against_the_image() -> None:
    teacher = torch.full((1, 1, 100, 100), -50.0)
    student = teacher.clone()
    student[..., :2, :50] = 50.0
    assert build_task("segmentation").departure(student, teacher).item() == pytest.approx(100 / (LEAST * 10_000))


def test_classes_by_total_variation() -> None:
    student, teacher = torch.tensor([[0.0, 0.0], [2.0, 0.0]]), torch.tensor([[100.0, 0.0], [2.0, 0.0]])
    assert build_task("classification").departure(student, teacher).tolist() == pytest.approx([0.5, 0])


def test_one_of_several_structures_counts_and_the_background_does_not() -> None:
    teacher = torch.zeros(1, 3, 10, 10)
    teacher[:, 0] = 50.0
    teacher[:, 1, :5], teacher[:, 2, 5:8] = 100.0, 100.0
    student = teacher.clone()
    student[:, 2] = 0.0  # the second structure of 30 pixels becomes background
    found = build_task("multiclass_segmentation").departure(student, teacher)
    assert found.tolist() == pytest.approx([30 / 80])


def test_intensities_by_their_own_sum() -> None:
    teacher = torch.tensor([0.5, 0.25]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4)
    found = build_task("reconstruction").departure(teacher * 1.5, teacher)
    assert found.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("name", list(TASKS))
def test_the_teacher_itself_has_departed_by_nothing(name: str) -> None:
    task = build_task(name)
    shape = (2, task.outputs(2)) if not task.masks else (2, task.outputs(2), 8, 8)
    logits = torch.randn(shape)
    assert task.departure(logits, logits).tolist() == [0, 0]
