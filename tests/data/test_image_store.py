"""Prepared images on the disk: what was written comes back, what is not of the data set goes."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.transforms import Compose
from scripts.data.image_store import ImageStore, StoredOr

RECORDS = [{"image_id": f"i{number}", "patient_id": f"p{number}", "value": float(number)} for number in range(4)]
EACH = 65 * 64 * 4 / 10**6  # megabytes of one image, at least


def prepared(record: dict[str, Any]) -> dict[str, Any]:
    image = torch.full((1, 65, 64), record["value"])
    return {"image": image, **{name: record[name] for name in ("image_id", "patient_id")}}


def store(folder: Path, key: str = "key") -> ImageStore:
    return ImageStore(folder, key=key, digest=lambda record: f"digest{record['value']:g}")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder / "private" / "images").as_posix() for path in folder.rglob("*.pt"))


def test_what_was_prepared_is_not_prepared_again(tmp_path: Path) -> None:
    filled = store(tmp_path).fill(RECORDS, prepared, megabytes=10)
    assert (filled.images, filled.left_out) == (4, 0) and filled.megabytes > 4 * EACH
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700
    seen: list[str] = []

    def noting(record: dict[str, Any]) -> dict[str, Any]:
        seen.append(record["image_id"])
        return prepared(record)

    look = StoredOr(store(tmp_path), Compose([noting]))
    for record in RECORDS:
        found = look(record)
        assert found.keys() == prepared(record).keys() and torch.equal(found["image"], prepared(record)["image"])
        assert (found["image_id"], found["patient_id"]) == (record["image_id"], record["patient_id"])
    assert store(tmp_path).fill(RECORDS, noting, megabytes=10) == filled
    assert not seen


def test_it_holds_neither_id_nor_path(tmp_path: Path) -> None:
    store(tmp_path).fill(RECORDS, prepared, megabytes=10)
    for path in tmp_path.rglob("*.pt"):
        assert b"p1" not in path.read_bytes() and set(torch.load(path)) == {"image"}


def test_what_belongs_to_nobody_is_removed(tmp_path: Path) -> None:
    store(tmp_path, "old").fill(RECORDS, prepared, megabytes=10)
    store(tmp_path).fill(RECORDS, prepared, megabytes=10)
    assert names(tmp_path) == [f"key/digest{number}.pt" for number in range(4)]
    store(tmp_path).fill(RECORDS[2:], prepared, megabytes=10)
    assert names(tmp_path) == ["key/digest2.pt", "key/digest3.pt"]
    store(tmp_path).fill(RECORDS, prepared, megabytes=0)
    assert names(tmp_path) == []


def test_once_the_room_is_used_nothing_is_added(tmp_path: Path) -> None:
    filled = store(tmp_path).fill(RECORDS, prepared, megabytes=1.5 * EACH)
    assert (filled.images, filled.left_out) == (2, 2)
    assert names(tmp_path) == ["key/digest0.pt", "key/digest1.pt"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04"])
def test_a_damaged_image_is_prepared_again(tmp_path: Path, content: bytes) -> None:
    store(tmp_path).fill(RECORDS, prepared, megabytes=10)
    (tmp_path / "private" / "images" / "key" / "digest1.pt").write_bytes(content)
    assert store(tmp_path).get(RECORDS[1]) is None
    found = StoredOr(store(tmp_path), Compose([prepared]))(RECORDS[1])
    assert torch.equal(found["image"], prepared(RECORDS[1])["image"])


def test_a_full_disk_leaves_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.data import image_store

    written = image_store.write_tensors
    left = iter([True, True, False])

    def write(path: Path, *args: Any, **given: Any) -> None:
        if not next(left):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written(path, *args, **given)

    monkeypatch.setattr(image_store, "write_tensors", write)
    with pytest.raises(OSError, match="No space left"):
        store(tmp_path).fill(RECORDS, prepared, megabytes=10)
    assert names(tmp_path) == ["key/digest0.pt", "key/digest1.pt"]
    monkeypatch.undo()
    assert store(tmp_path).fill(RECORDS, prepared, megabytes=10).images == 4
