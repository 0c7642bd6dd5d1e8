"""Rows by key, within a budget, gone when the run ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from scripts.errors import InputError
from scripts.frozen.cache import BLOCK, FrozenCache, block_size
from scripts.frozen.store import CHUNK, MARGIN

SHAPE = (2, 3)
ROW = 2 * 3 * 4 + 5 * 2  # bytes


def compute(positions: list[int]) -> tuple[torch.Tensor, ...]:
    values = torch.tensor(positions, dtype=torch.float32)
    return values.view(-1, 1, 1).expand(-1, *SHAPE), -values.view(-1, 1).expand(-1, 5).to(torch.bfloat16)


def test_blocks_have_one_size_so_that_no_image_depends_on_how_many_are_missing(tmp_path: Path) -> None:
    asked: list[list[int]] = []

    def noted(positions: list[int]) -> tuple[torch.Tensor, ...]:
        asked.append(positions)
        return compute(positions)

    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("teacher")
    stored.rows(["a"], noted)
    stored.rows([*"abcdef"], noted)
    assert asked == [[0] * BLOCK, [1, 2, 3, 4], [5] * BLOCK] and stored.computed == 6


@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((64, 64), BLOCK),
        ((181, 181), BLOCK),
        ((256, 256), 2),
        ((384, 384), 1),
        ((32, 32, 32), BLOCK),
        ((96, 96, 96), 1),
    ],
)
def test_large_images_are_computed_fewer_at_a_time(shape: tuple[int, ...], block: int) -> None:
    assert block_size(torch.empty(1, 1, *shape)) == block_size(torch.empty(9, 3, *shape)) == block


def test_each_key_is_computed_once(tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path / "frozen", megabytes=1)
    stored = cache.stored("teacher")
    first = stored.rows(["a", "b", "a"], compute)
    assert [tensor.shape for tensor in first] == [(3, *SHAPE), (3, 5)]
    assert first[0][:, 0, 0].tolist() == [0.0, 1.0, 0.0] and first[1].dtype == torch.bfloat16
    again = stored.rows(["b", "c"], lambda positions: compute([position + 10 for position in positions]))
    assert again[0][:, 0, 0].tolist() == [1.0, 11.0] and again[1][:, 0].tolist() == [-1.0, -11.0]
    assert cache.report() == {"bytes": CHUNK * ROW, "teacher": {"computed": 3, "looked_up": 2}}


def test_more_rows_than_one_file_holds(tmp_path: Path) -> None:
    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("teacher")
    keys = [f"image {i}" for i in range(2 * CHUNK + 1)]
    stored.rows(keys, compute)
    found = stored.rows(keys[::-1], compute)
    assert found[0][:, 0, 0].tolist() == [float(i) for i in reversed(range(len(keys)))]
    assert stored.computed == len(keys)


def test_beyond_the_budget_is_computed_anew(tmp_path: Path) -> None:
    cache = FrozenCache(folder=tmp_path, megabytes=CHUNK * ROW / 1e6)
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
    cache = FrozenCache(folder=tmp_path / "frozen", megabytes=0)
    cache.stored("teacher").rows(["a"], compute)
    assert not (tmp_path / "frozen").exists() and cache.bytes == 0


def test_rows_have_no_name_on_disk_and_those_of_older_runs_go(tmp_path: Path) -> None:
    old = tmp_path / "frozen" / "teacher" / "rows00000_0.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    stored = FrozenCache(folder=tmp_path / "frozen", megabytes=1).stored("teacher")
    stored.rows(["a"], compute)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert stored.rows(["a"], compute)[0].shape == (1, *SHAPE) and stored.computed == 1


def test_where_a_mapped_file_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "in use", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("teacher")
    stored.rows(["a"], compute)
    stored.rows(["a"], compute)
    assert stored.computed == 1 and len(list((tmp_path / "teacher").iterdir())) == 2


def test_a_full_disk_is_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("teacher")
    monkeypatch.setattr(os, "posix_fallocate", full)
    for _ in range(2):
        assert stored.rows(["a", "b"], compute)[0][:, 0, 0].tolist() == [0.0, 1.0]
    assert stored.computed == 4 and stored.bytes == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_most_of_what_is_free_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(free=MARGIN * CHUNK * ROW)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: free)
    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("teacher")
    stored.rows(["a"], compute)
    assert stored.bytes == CHUNK * ROW
    free.free -= 1
    other = FrozenCache(folder=tmp_path, megabytes=1).stored("student")
    other.rows(["a"], compute)
    assert other.bytes == 0


@pytest.mark.parametrize("budget", [-1, float("inf"), float("nan"), "much", True])
def test_budgets_that_are_not_allowed(budget: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frozen_budget"):
        FrozenCache(folder=tmp_path, megabytes=budget)  # type: ignore[arg-type]


def test_files_of_others_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "frozen").mkdir()
    (tmp_path / "frozen" / "notes.txt").write_text("mine")
    (tmp_path / "frozen" / "rows00000_0.bin").write_bytes(b"of an interrupted run")
    stored = FrozenCache(folder=tmp_path, megabytes=1).stored("frozen")
    stored.rows(["a"], compute)
    assert [path.name for path in (tmp_path / "frozen").iterdir()] == ["notes.txt"]
