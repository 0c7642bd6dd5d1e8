"""Losses of training against their formulas."""

from __future__ import annotations

import pytest
import torch
from scripts.errors import InputError
from scripts.objectives.supervised import supervised_loss
from scripts.objectives.training import HARDEST, SMOOTH, training_loss
from scripts.tasks.registry import TASKS


def masks() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 1, 8, 8, generator=generator), (torch.rand(2, 1, 8, 8, generator=generator) > 0.7).float()


def test_plain_is_the_tasks_own() -> None:
    answers, label = masks()
    assert training_loss("segmentation")(answers, label) == supervised_loss("segmentation")(answers, label)


def test_tversky_counts_what_is_missed_more_than_what_is_too_much() -> None:
    answers, label = masks()
    p = answers.sigmoid()
    values = []
    for one, truth in zip(p, label, strict=True):
        both, over, missed = (one * truth).sum(), (one * (1 - truth)).sum(), ((1 - one) * truth).sum()
        values.append((both + SMOOTH) / (both + 0.3 * over + 0.7 * missed + SMOOTH))
    expected = supervised_loss("segmentation")(answers, label) + 1 - torch.stack(values).mean()
    assert training_loss("segmentation", "tversky")(answers, label).item() == pytest.approx(expected.item())


def test_ohem_looks_at_the_hardest_quarter() -> None:
    answers, label = masks()
    apart = torch.nn.functional.binary_cross_entropy_with_logits(answers, label, reduction="none").flatten(1)
    expected = apart.sort(1, descending=True).values[:, : round(HARDEST * 64)].mean()
    assert training_loss("segmentation", "ohem")(answers, label).item() == pytest.approx(expected.item(), rel=1e-5)
    logits = torch.tensor([[3.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = training_loss("classification", "ohem")(logits, torch.tensor([0, 0, 0, 0]))
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().sum(1).bool().tolist() == [False, True, False, False]


@pytest.mark.parametrize("name", ["tversky", "ohem"])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_loss_that_a_task_does_not_have_is_refused(task: str, name: str) -> None:
    able = TASKS[task].masks and not TASKS[task].graded if name == "tversky" else not TASKS[task].graded
    if able:
        assert callable(training_loss(task, name))
    else:
        with pytest.raises(InputError, match=f"training_loss: '{name}' is not for task: {task}"):
            training_loss(task, name)
