"""Mean over images, whatever the batches were."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.engines.metric import TaskMetric
from scripts.tasks import build_task

TASK = build_task("segmentation")


def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, 1, 8, 8, generator=generator)
    return logits, (torch.rand(count, 1, 8, 8, generator=generator) > 0.5).float()


@pytest.mark.parametrize("name", ["", "iou", "hd95"])
def test_uneven_batches(name: str) -> None:
    logits, label = images(7)
    metric = TaskMetric(task=TASK, name=name)
    for part in (slice(0, 5), slice(5, 7)):
        metric.update((logits[part], label[part]))
    expected = TASK.measure(logits, label)[name or "dice"].mean().item()
    assert metric.compute() == pytest.approx(expected)
    metric.reset()
    assert math.isnan(metric.compute())


def test_undefined_images_are_left_out() -> None:
    logits, label = images(4)
    label[1:3] = 0  # no structure, so nothing to miss
    metric = TaskMetric(task=TASK, name="false_negative_rate")
    metric.update((logits, label))
    expected = TASK.measure(logits[[0, 3]], label[[0, 3]])["false_negative_rate"].mean().item()
    assert metric.compute() == pytest.approx(expected)
