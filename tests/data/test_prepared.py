"""Prepared images on the disk: in the run's folder alone, noted before they appear, prepared again where damaged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.transforms import Compose, Transform
from scripts.data.datasets import make_dataset
from scripts.files import watch

RECORDS: list[dict[str, Any]] = [
    {"image": torch.full((1, 2, 2), float(value)), "image_id": str(value)} for value in range(3)
]


class Counting(Transform):
    """Doubles the image, and counts how often: not in itself, since its content is part of the cache's key."""

    done: list[int] = []

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        self.done.append(1)
        return {**item, "image": item["image"] * 2}


def dataset(folder: Path, transform: Any) -> Any:
    return make_dataset(RECORDS, Compose([transform]), cache="disk", cache_dir=folder)


def test_each_file_is_announced_and_nothing_is_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **settings: object) -> None:
        raise AssertionError("a prepared image was written outside of the run")

    for name in ("TemporaryDirectory", "mkdtemp", "mkstemp", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    told: list[tuple[str, str]] = []
    watch(tmp_path / "run", lambda path, kind: told.append((kind, path.name)))
    folder = tmp_path / "run" / "private" / "cache"
    found = dataset(folder, Counting())
    assert not folder.exists()
    assert [float(item["image"].max()) for item in found] == [0.0, 2.0, 4.0]
    assert {name for kind, name in told if kind == "written"} == {path.name for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 3


def test_a_file_is_used_again_and_a_damaged_one_is_prepared_again(tmp_path: Path) -> None:
    transform = Counting()
    transform.done.clear()
    list(dataset(tmp_path, transform))
    list(dataset(tmp_path, transform))
    assert len(transform.done) == 3
    for path, content in zip(sorted(tmp_path.iterdir()), (b"", b"damaged", b"PK\x03\x04"), strict=True):
        path.write_bytes(content)
    assert [float(item["image"].max()) for item in dataset(tmp_path, transform)] == [0.0, 2.0, 4.0]
    assert len(transform.done) == 6
    list(dataset(tmp_path, transform))
    assert len(transform.done) == 6
