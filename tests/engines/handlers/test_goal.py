"""The stopping rule of forgetting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ignite.engine import Engine
from scripts.engines.handlers import StopAtGoal


def rounds(measurements: list[tuple[float, float]], **settings: Any) -> tuple[int, int]:
    """Rounds that ran, and measurements that were taken."""
    asked: list[int] = []

    def measure(network: Any, logits: Any = None) -> dict[str, float]:
        progress, kept = measurements[len(asked)]
        asked.append(1)
        return {"progress": progress, "kept": kept}

    trainer = Engine(lambda engine, batch: None)
    criterion, student = SimpleNamespace(measure=measure), SimpleNamespace(network=None)
    values = {"stop_at": 1.0, "tolerance": 0.01, "min_rounds": 1} | settings
    StopAtGoal(criterion=criterion, student=student, **values).attach(trainer)  # type: ignore[arg-type]
    state = trainer.run([0], max_epochs=4)
    assert state.metrics["progress"] is measurements[len(asked) - 1][0]
    return state.epoch, len(asked)


@pytest.mark.parametrize(
    ("measurements", "settings", "end"),
    [
        ([(0.5, 0), (1.0, 0)], {}, 2),
        ([(0.5, 0), (0.95, 0)], {"stop_at": 0.9}, 2),
        ([(2.0, 0)] * 4, {"min_rounds": 3}, 3),
        ([(2.0, -0.02), (2.0, -0.005)], {}, 2),  # first the rest was not kept
        ([(0.9, 0)] * 4, {}, 4),
        ([(float("nan"), 0)] * 4, {}, 4),  # undefined is not reached
        ([(2.0, float("nan"))] * 4, {}, 4),
        ([(2.0, 0)] * 4, {"stop_at": float("inf")}, 4),  # the released schedule has no rule
    ],
)
def test_end(measurements: list[tuple[float, float]], settings: dict[str, Any], end: int) -> None:
    assert rounds(measurements, **settings) == (end, end)


def test_looks_only_every_so_many_rounds() -> None:
    assert rounds([(0.5, 0), (2.0, 0)], every=2) == (4, 2)
