"""Retain losses and the supervised loss against their closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.errors import InputError
from scripts.objectives.registry import RETAIN, build_retain_objective
from scripts.objectives.supervised import supervised_loss
from scripts.tasks import build_task
from scripts.tasks.sigmoid_masks import SMOOTH

SEGMENTATION, CLASSIFICATION = "segmentation", "classification"


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def bce(z: float, y: float) -> float:
    return math.log1p(math.exp(z)) - y * z


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


Z, T, Y = [-1.0, 2.0, 0.5], [0.3, 1.5, -4.0], [0.0, 1.0, 1.0]


def image(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, 1, -1)


def dice_bce(z: list[float], y: list[float]) -> float:
    p = [sigmoid(value) for value in z]
    overlap = sum(a * b for a, b in zip(p, y, strict=True))
    dice = 1 - (2 * overlap + SMOOTH) / (sum(p) + sum(y) + SMOOTH)
    return dice + sum(bce(a, b) for a, b in zip(z, y, strict=True)) / len(z)


def soft_bce(temperature: float) -> float:
    terms = [bce(z / temperature, sigmoid(t / temperature)) for z, t in zip(Z, T, strict=True)]
    return temperature**2 * sum(terms) / len(terms)


def test_supervised_loss_is_per_image_then_the_mean():
    logits, label = torch.cat([image(Z), image(T)]), torch.cat([image(Y), image([0.0, 0.0, 0.0])])
    expected = [dice_bce(Z, Y), dice_bce(T, [0.0] * 3)]
    assert build_task(SEGMENTATION).loss(logits, label).tolist() == pytest.approx(expected, rel=1e-5)
    assert supervised_loss(SEGMENTATION)(logits, label).item() == pytest.approx(sum(expected) / 2, rel=1e-5)
    logits, label = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 0])
    expected = [-math.log(sigmoid(1)), -math.log(sigmoid(-2))]
    assert build_task(CLASSIFICATION).loss(logits, label).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_distillation_of_segmentation(temperature):
    loss = build_retain_objective("distillation", SEGMENTATION, temperature=temperature)
    assert loss(image(Z), image(T)).item() == pytest.approx(soft_bce(temperature), rel=1e-5)


def test_distillation_of_classification():
    p = softmax([value / 2 for value in T])
    q = softmax([value / 2 for value in Z])
    expected = 4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    loss = build_retain_objective("distillation", CLASSIFICATION)
    assert loss(torch.tensor([Z]), torch.tensor([T])).item() == pytest.approx(expected, rel=1e-5)
    assert loss(torch.tensor([T]), torch.tensor([T])).item() == pytest.approx(0, abs=1e-6)


def test_supervised_distillation_has_the_released_constants():
    closeness = 0.05 * sum((z - t) ** 2 for z, t in zip(Z, T, strict=True)) / 3
    loss = build_retain_objective("supervised_distillation", SEGMENTATION)
    expected = dice_bce(Z, Y) + soft_bce(2.0) + closeness
    assert loss(image(Z), image(T), image(Y)).item() == pytest.approx(expected, rel=1e-5)

    p, q = softmax([value / 2 for value in T]), softmax([value / 2 for value in Z])
    divergence = 4 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    expected = -math.log(softmax(Z)[1]) + divergence + closeness
    loss = build_retain_objective("supervised_distillation", CLASSIFICATION)
    value = loss(torch.tensor([Z]), torch.tensor([T]), torch.tensor([1]))
    assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weight", [0.1, 2.0])
def test_supervised_weight_and_images_without_label(weight):
    closeness = 0.05 * sum((z - t) ** 2 for z, t in zip(Z, T, strict=True)) / 3
    loss = build_retain_objective("supervised_distillation", SEGMENTATION, supervised_weight=weight)
    distilled = soft_bce(2.0) + closeness
    assert loss(image(Z), image(T)).item() == pytest.approx(distilled, rel=1e-5)
    assert loss(image(Z), image(T), image(Y)).item() == pytest.approx(distilled + weight * dice_bce(Z, Y), rel=1e-5)


@pytest.mark.parametrize("name", sorted(RETAIN))
@pytest.mark.parametrize("task", [SEGMENTATION, CLASSIFICATION])
def test_float32_finite_and_no_gradient_to_the_teacher(name, task):
    shape = (3, 1, 8, 8) if task == SEGMENTATION else (3, 4)
    generator = torch.Generator().manual_seed(0)
    z, t = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator).requires_grad_()
    label = (z > 0.3).float() if task == SEGMENTATION else torch.tensor([0, 1, 3])
    loss = build_retain_objective(name, task)
    low = loss(z.bfloat16(), t.bfloat16(), label)
    assert low.dtype == torch.float32
    assert torch.equal(low, loss(z.bfloat16().float(), t.bfloat16().float(), label))
    for scale in (1.0, 60.0):
        student = (z * scale).requires_grad_()
        value = loss(student, t * scale, label)
        value.backward()
        assert value.ndim == 0 and torch.isfinite(value) and torch.isfinite(student.grad).all()
        assert t.grad is None


@pytest.mark.parametrize("task", [SEGMENTATION, CLASSIFICATION])
def test_the_teacher_itself_is_the_least_of_distillation(task):
    shape = (2, 1, 6, 6) if task == SEGMENTATION else (2, 3)
    teacher = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    z = teacher.clone().requires_grad_()
    build_retain_objective("distillation", task)(z, teacher).backward()
    assert z.grad.abs().max() < 1e-6


def test_what_is_missing_or_not_supported_is_named():
    with pytest.raises(InputError, match="teacher's logits"):
        build_retain_objective("distillation", SEGMENTATION)(image(Z), None)
    with pytest.raises(InputError, match="temperature"):
        build_retain_objective("distillation", SEGMENTATION, temperature=0)
    with pytest.raises(InputError, match=r"one structure against background; got \(1, 2, 4, 4\)"):
        supervised_loss(SEGMENTATION)(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
    with pytest.raises(InputError, match="'registration'"):
        supervised_loss("registration")
