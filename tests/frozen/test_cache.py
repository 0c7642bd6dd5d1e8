"""Rows by key, within a budget, gone when the run ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.errors import InputError
from scripts.frozen.cache import FrozenCache
from scripts.frozen.store import CHUNK

SHAPE = (2, 3)
ROW = 2 * 3 * 4 + 5 * 2  # bytes


def compute(position: int) -> tuple[torch.Tensor, ...]:
    return torch.full(SHAPE, float(position)), torch.full((5,), float(-position), dtype=torch.bfloat16)


def test_each_key_is_computed_once(tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path / "frozen", budget=1e6)
    stored = cache.stored("teacher")
    first = stored.rows(["a", "b", "a"], compute)
    assert [tensor.shape for tensor in first] == [(3, *SHAPE), (3, 5)]
    assert first[0][:, 0, 0].tolist() == [0.0, 1.0, 0.0] and first[1].dtype == torch.bfloat16
    again = stored.rows(["b", "c"], lambda position: compute(position + 10))
    assert again[0][:, 0, 0].tolist() == [1.0, 11.0] and again[1][:, 0].tolist() == [-1.0, -11.0]
    assert cache.report() == {"bytes": CHUNK * ROW, "teacher": {"computed": 3, "looked_up": 2}}


def test_more_rows_than_one_file_holds(tmp_path: Path) -> None:
    stored = FrozenCache(folder=tmp_path, budget=1e6).stored("teacher")
    keys = [f"image {i}" for i in range(2 * CHUNK + 1)]
    stored.rows(keys, compute)
    found = stored.rows(keys[::-1], compute)
    assert found[0][:, 0, 0].tolist() == [float(i) for i in reversed(range(len(keys)))]
    assert stored.computed == len(keys)
    assert len(list((tmp_path / "teacher").iterdir())) == 6


def test_beyond_the_budget_is_computed_anew(tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path, budget=CHUNK * ROW)
    stored, other = cache.stored("teacher"), cache.stored("student")
    keys = [f"image {i}" for i in range(CHUNK + 3)]
    for _ in range(2):
        assert stored.rows(keys, compute)[0][:, 0, 0].tolist() == [float(i) for i in range(len(keys))]
    assert stored.computed == len(keys) + 3
    # One budget for all stores.
    other.rows(["a"], compute)
    other.rows(["a"], compute)
    assert other.computed == 2 and cache.bytes == CHUNK * ROW


def test_no_budget_writes_nothing(tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path / "frozen", budget=0)
    cache.stored("teacher").rows(["a"], compute)
    cache.close()
    assert not (tmp_path / "frozen").exists()


def test_rows_go_with_the_run_and_with_an_interrupted_one(tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    old = folder / "teacher" / "rows00000_0.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    cache = FrozenCache(folder=folder, budget=1e6)
    cache.stored("teacher").rows(["a"], compute)
    assert old.stat().st_size == CHUNK * 2 * 3 * 4
    cache.close()
    assert not folder.exists() and cache.bytes == 0


@pytest.mark.parametrize("budget", [-1, float("inf"), float("nan"), "much", True])
def test_budgets_that_are_not_allowed(budget: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frozen_budget"):
        FrozenCache(folder=tmp_path, budget=budget)  # type: ignore[arg-type]
