"""What a phase cost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from ignite.engine import Engine
from scripts.errors import InputError
from scripts.record.timing import Timing, cpu_seconds
from scripts.system import peak_memory


def timed(path: Path, phase: str, *, start_epoch: int = 0) -> dict:
    engine = Engine(lambda engine, batch: time.sleep(0.01))
    timing = Timing(path=path, phase=phase)
    if start_epoch:
        from ignite.engine import Events

        engine.add_event_handler(Events.STARTED, lambda e: setattr(e.state, "epoch", start_epoch))
    timing.attach(engine)
    engine.run([0, 1], max_epochs=3)
    return json.loads(path.read_text())


def test_entry_of_a_phase(tmp_path: Path) -> None:
    before = time.perf_counter()
    entry = timed(tmp_path / "t.json", "forget")["forget"]
    assert 0.06 <= entry["wall_seconds"] <= time.perf_counter() - before + 0.001
    assert 0 <= entry["cpu_seconds"] <= entry["wall_seconds"] + 0.5
    assert entry["peak_memory_bytes"] > 50e6
    assert (entry["steps"], entry["rounds"], entry["resumed"]) == (6, 3, False)


def test_phases_stand_side_by_side(tmp_path: Path) -> None:
    timed(tmp_path / "t.json", "forget")
    assert set(timed(tmp_path / "t.json", "restore")) == {"forget", "restore"}


def test_a_resumed_phase_says_so(tmp_path: Path) -> None:
    assert timed(tmp_path / "t.json", "forget", start_epoch=1)["forget"]["resumed"] is True


def test_without_an_engine(tmp_path: Path) -> None:
    timing = Timing(path=tmp_path / "t.json", phase="evaluate")
    timing.start()
    timing.finish()
    assert set(json.loads((tmp_path / "t.json").read_text())["evaluate"]) == {
        "wall_seconds",
        "cpu_seconds",
        "peak_memory_bytes",
    }


def test_what_was_drawn_from_joins_the_entry(bench, tmp_path: Path) -> None:
    loaders = bench.loaders(retain_images=4)
    timing = Timing(path=tmp_path / "t.json", phase="restore", loaders=loaders)
    timing.start()
    loaders.joint(forget=0, retain=2, guard=0, steps=1)
    timing.finish()
    assert json.loads((tmp_path / "t.json").read_text())["restore"]["drawn_from"] == loaders.report()
    assert loaders.report()["retain"]["images"] == 4


def test_cpu_time_counts_work_and_not_sleep() -> None:
    start = cpu_seconds()
    time.sleep(0.05)
    slept = cpu_seconds() - start
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert cpu_seconds() - start - slept == pytest.approx(0.1, abs=0.03) and slept < 0.03


def test_memory_is_in_bytes() -> None:
    assert 10e6 < peak_memory() < 1e12


@pytest.mark.parametrize("content", [b"{x", b"[]", b"3", b"\xff"])
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "timing.json").write_bytes(content)
    with pytest.raises(InputError, match=r"timing.json: is damaged.*; remove it"):
        timed(tmp_path / "timing.json", "forget")
