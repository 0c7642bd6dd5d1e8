"""The learning rate over the steps."""

from __future__ import annotations

import math

import pytest
import torch
from scripts.engines.schedule import learning_rate_schedule
from scripts.errors import InputError


def course(name: str, *, steps: int) -> list[float]:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = learning_rate_schedule(optimizer=optimizer, name=name, steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return [*found, optimizer.param_groups[0]["lr"]]


def test_cosine_to_zero() -> None:
    assert course("cosine", steps=8) == pytest.approx([0.05 * (1 + math.cos(math.pi * i / 8)) for i in range(9)])


def test_constant() -> None:
    assert course("constant", steps=6) == pytest.approx([0.1] * 7)


def test_no_steps_is_no_division_by_zero() -> None:
    assert course("cosine", steps=0) == [0.1]


def test_unknown_course() -> None:
    with pytest.raises(InputError, match="forget_lr_schedule: 'step' is not one of cosine, constant"):
        course("step", steps=1)
