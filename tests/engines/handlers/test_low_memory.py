"""Freed memory goes back after every step, where that is asked for."""

from __future__ import annotations

import pytest
from ignite.engine import Engine
from scripts.engines.handlers import LowMemory, low_memory


@pytest.mark.parametrize(("enabled", "times"), [(True, 6), (False, 0)])
def test_after_every_step_if_asked_for(enabled: bool, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(low_memory, "give_back", lambda: calls.append(1))
    engine = Engine(lambda _engine, _batch: None)
    LowMemory(enabled=enabled).attach(engine)
    engine.run([0, 1, 2], max_epochs=2)
    assert len(calls) == times
