"""What a terminal and what a log file see of a phase."""

from __future__ import annotations

import sys

import pytest
from ignite.engine import Engine, Events
from scripts.engines.handlers import Progress


def run(*, epochs: int, show: bool = True, fail: bool = False) -> None:
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update(loss=0.5, note="text"))
    Progress(phase="forget", show=show).attach(engine)
    if fail:
        engine.add_event_handler(Events.EPOCH_STARTED(once=2), lambda e: 1 / 0)
    engine.run([0], max_epochs=epochs)


def test_a_tenth_at_a_time_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run(epochs=30)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and lines[0] == "forget 3/30 loss 0.500" and lines[-1].startswith("forget 30/30")


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    run(epochs=3, show=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("fail", [False, True])
def test_a_bar_on_a_terminal_that_is_gone_at_the_end(capsys, monkeypatch: pytest.MonkeyPatch, fail: bool) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    if fail:
        with pytest.raises(ZeroDivisionError):
            run(epochs=3, fail=True)
    else:
        run(epochs=3)
    shown = capsys.readouterr()
    assert "forget" in shown.err and "loss=0.500" in shown.err and shown.out == ""
