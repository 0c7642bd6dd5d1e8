"""When to stop, as a sequence of metrics."""

from __future__ import annotations

import pytest
from ignite.engine import Engine
from scripts.engines.handlers import EarlyStop


def stop(patience: int, *, min_delta: float = 0.0) -> EarlyStop:
    return EarlyStop(validator=Engine(lambda engine, batch: None), patience=patience, min_delta=min_delta)


@pytest.mark.parametrize(
    ("patience", "metrics", "end"),
    [
        (2, [0.1, 0.2, 0.2, 0.1], 4),
        (2, [0.1, 0.0, 0.2, 0.1, 0.1], 5),
        (1, [0.3, 0.3], 2),
        (3, [0.1, 0.2, 0.3, 0.4], None),
        (0, [0.4, 0.3, 0.2, 0.1], None),
        (2, [0.1, float("nan"), float("nan")], 3),
    ],
)
def test_end(patience: int, metrics: list[float], end: int | None) -> None:
    handler = stop(patience)
    ended = [i for i, metric in enumerate(metrics, start=1) if handler.update(metric)]
    assert ended[:1] == ([end] if end else [])


def test_a_rise_must_be_more_than_min_delta() -> None:
    handler = stop(1, min_delta=0.1)
    assert not handler.update(0.5) and handler.update(0.55)


def test_goes_on_counting_after_a_restart() -> None:
    first, second = stop(2), stop(2)
    first.update(0.5), first.update(0.4)
    second.load_state_dict(first.state_dict())
    assert second.update(0.45)


def test_ends_the_trainer_it_is_attached_to() -> None:
    trainer = Engine(lambda engine, batch: None)
    handler = stop(1)
    handler.attach(trainer)
    for metric in (0.5, 0.5):
        handler.validator.state.metrics = {"m": metric}
        handler.validator.state.key_metric_name = "m"
        handler.validator.run([0])
    assert trainer.should_terminate
