"""Reconstruction: its measures against scikit-image, its losses at their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scripts.tasks import build_task
from skimage.metrics import peak_signal_noise_ratio

TASK = build_task("reconstruction")


def images(count: int = 2, *, seed: int = 0, size: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.avg_pool2d(torch.rand(count, 1, size + 4, size + 4, generator=generator), 5, 1)


def test_psnr_is_that_of_scikit_image_and_the_score_is_it_in_nats() -> None:
    label, answer = images(), images(seed=1)
    found = TASK.measure(answer, label)
    expected = [
        peak_signal_noise_ratio(y[0].numpy(), z[0].numpy(), data_range=1.0) for y, z in zip(label, answer, strict=True)
    ]
    assert found["psnr"].tolist() == pytest.approx(expected, rel=1e-5)
    assert TASK.score(answer, label).tolist() == pytest.approx(
        [value * math.log(10) / 10 for value in expected], rel=1e-4
    )
    squared = ((answer - label) ** 2).sum((1, 2, 3)) / (label**2).sum((1, 2, 3))
    assert found["nmse"].tolist() == pytest.approx(squared.tolist(), rel=1e-5)


def test_the_image_itself_is_the_best_answer() -> None:
    label = images()
    found = TASK.measure(label, label)
    assert found["ssim"].tolist() == pytest.approx([1, 1], abs=1e-5) and float(found["nmse"].max()) < 1e-6
    assert TASK.loss(label, label).tolist() == pytest.approx([0, 0], abs=1e-5)
    other = TASK.loss(images(seed=1), label)
    assert other.shape == (2,) and float(other.min()) > 0.1
    assert float(TASK.fit(label, label)) < 1e-5 < float(TASK.distil(images(seed=1), label))
    assert torch.equal(TASK.prediction(label), label) and torch.equal(TASK.activate(label), label)


def test_drawn_targets_are_images() -> None:
    label = images(1)[0]
    generator = torch.Generator().manual_seed(3)
    drawn = TASK.random_target(label, outputs=1, generator=generator)
    assert drawn.shape == label.shape and 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    assert abs(np.corrcoef(drawn.flatten(), label.flatten())[0, 1]) < 0.5
    noisy = TASK.noisy_target(label, outputs=1, displacement=3.0, flip=0.5, generator=generator)
    assert float((noisy - label).std()) == pytest.approx(0.5, abs=0.1)


def test_what_is_suppressed_is_above_the_bound() -> None:
    label = images(1)
    assert TASK.suppression(label, label, None, bound=0.5).item() == pytest.approx(1, abs=1e-4)
    assert TASK.suppression(1 - label, label, None, bound=0.5).item() == 0
    assert float(TASK.uniform(torch.full((1, 1, 4, 4), 0.3))) == pytest.approx(0, abs=1e-7)


def test_agreement_and_answers() -> None:
    label = images()
    assert TASK.agreement(label[0], label[0]) == 1.0
    assert TASK.agreement(label[0], label[0] + 0.25) == pytest.approx(0.75)
    assert TASK.answer(label).shape == (2, 256)
    assert "one channel" in TASK.problem(torch.zeros(1, 2, 8, 8)) and not TASK.problem(label)
