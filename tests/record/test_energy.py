"""What a block costs: CPU seconds always, energy where codecarbon can tell."""

from __future__ import annotations

import sys

import pytest
from scripts.record.energy import Cost, costing


def work() -> int:
    return sum(number * number for number in range(300_000))


def test_cpu_seconds_and_energy() -> None:
    with costing() as cost:
        work()
    assert cost.cpu_seconds > 0
    assert cost.kilowatt_hours is not None and 0 <= cost.kilowatt_hours < 0.1


def test_without_codecarbon_cpu_seconds_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with costing() as cost:
        work()
    assert cost.cpu_seconds > 0 and cost.kilowatt_hours is None
    assert Cost(1.23456789).as_dict() == {"cpu_seconds": 1.2346, "kilowatt_hours": None}


def test_an_error_in_the_block_comes_out_of_it() -> None:
    with pytest.raises(RuntimeError, match="inside"), costing():
        raise RuntimeError("inside")
