"""Hardening: the gradient that it adds, the attacker's steps, and that an interruption leaves no trace."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Events
from scripts.data.divided import Part
from scripts.engines.hardening import BATCH, LEARNING_RATE, Hardening, _first
from scripts.objectives.supervised import supervised_loss
from scripts.student.whole import WholeStudent
from tests.engines.test_forget import Interrupted, forgetting, outcome
from torch.nn import functional


def batches(bench: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    loader = bench.loaders().joint(forget=2, retain=4, guard=0, steps=1)
    parts = next(iter(loader))
    return parts["forget"], parts["retain"]


def empty_loss(logits: torch.Tensor) -> torch.Tensor:
    return functional.softplus(logits).mean()


def whole(bench: Any) -> WholeStudent:
    return WholeStudent.start(bench.teacher, teacher=bench.teacher, sample=bench.loaders().sample("forget"))


def hardening(bench: Any, student: Any, **settings: Any) -> Hardening:
    values = {"weight": 0.5, "steps": 3, "task": "segmentation"} | settings
    return Hardening(student=student, arithmetic=bench.arithmetic, **values)


def test_gradient_is_that_of_the_forget_loss_at_the_attacked_weights(bench) -> None:
    student, (forget, retain) = whole(bench), batches(bench)
    hard = hardening(bench, student)
    for step in range(2):
        student.network.zero_grad()
        added = hard.add_gradients(forget=forget, retain=retain, step=step, forget_loss=empty_loss)

    # The same by a plain loop: two steps of the attacker, then the loss on its network.
    attacked = copy.deepcopy(bench.teacher).eval()
    weights = [weight.requires_grad_(True) for weight in attacked.parameters()]
    optimizer, loss = torch.optim.AdamW(weights, LEARNING_RATE), supervised_loss("segmentation")
    for _ in range(2):
        optimizer.zero_grad()
        loss(attacked(retain["image"]), retain["label"]).backward()
        optimizer.step()
    optimizer.zero_grad()
    expected = 0.5 * empty_loss(attacked(forget["image"]))
    expected.backward()
    assert float(added) == pytest.approx(float(expected), rel=1e-5)
    for own, other in zip(student.trainable(), attacked.parameters(), strict=True):
        assert torch.allclose(own.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_the_copy_is_the_student_again_after_its_steps(bench) -> None:
    student, (forget, retain) = whole(bench), batches(bench)
    hard = hardening(bench, student, steps=2)
    seen = [
        float(hard.add_gradients(forget=forget, retain=retain, step=step, forget_loss=empty_loss)) for step in range(4)
    ]
    assert seen[0] != seen[1] and seen[:2] == seen[2:]


def test_an_adapter_takes_its_own_share_of_the_gradient_and_nothing_else_moves(bench) -> None:
    student, (forget, retain) = bench.student(dropout=0.0), batches(bench)
    with torch.no_grad():
        for parameter in student.trainable():
            parameter.add_(0.05)
    before = copy.deepcopy(student.state_dict_trainable())
    hardening(bench, student).add_gradients(forget=forget, retain=retain, step=0, forget_loss=empty_loss)
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in student.trainable())
    after = student.state_dict_trainable()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("part", [Part(0, 3, 20), Part(3, 10, 20), Part(10, 20, 20)])
def test_of_several_processes_each_takes_its_part_of_the_first_images(part: Part) -> None:
    held = part.stop - part.start
    batch = {"image": torch.arange(held), "label": torch.arange(held), "part": part}
    some, share = _first(batch, BATCH)
    expected = len([index for index in range(part.start, part.stop) if index < BATCH])
    assert share == expected / BATCH
    assert len(some["image"]) == max(expected, 1)


def test_a_hardened_run_goes_on_bit_for_bit(bench, tmp_path: Path) -> None:
    def made(folder: Path) -> Any:
        run = forgetting(bench, folder)
        run.trainer.hardening = hardening(bench, run.student, steps=2)
        return run

    def stop(engine: Any) -> None:
        raise Interrupted

    uninterrupted = made(tmp_path / "one")
    uninterrupted.trainer.run()
    first = made(tmp_path / "two")
    first.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=5), stop)
    with pytest.raises(Interrupted):
        first.trainer.run()
    torch.manual_seed(99)
    resumed = made(tmp_path / "two")
    resumed.trainer.run()
    assert outcome(resumed) == outcome(uninterrupted)
    assert "hardened_loss" in (tmp_path / "one" / "history.csv").read_text()
