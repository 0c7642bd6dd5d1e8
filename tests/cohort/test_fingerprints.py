"""Fingerprints: the same whether computed or looked up, known by content, and nothing is decoded twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts.cohort.fingerprints import Fingerprints
from scripts.cohort.near_duplicates import fingerprint


class Loaded:
    """A loading step that counts."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        generator = torch.Generator().manual_seed(record["seed"])
        return {**record, "image": torch.rand(self.shape, generator=generator)}


def digest(record: dict[str, Any]) -> str:
    return f"content-{record['seed']}"


def record(name: str, seed: int) -> dict[str, Any]:
    return {"image_id": name, "image": f"{name}.png", "seed": seed}


@pytest.mark.parametrize("shape", [(1, 20, 24), (1, 12, 12, 12)])
def test_kept_prints_are_those_that_are_computed(tmp_path: Path, shape: tuple[int, ...]) -> None:
    first, path = Loaded(shape), tmp_path / "fingerprints.json"
    prints = Fingerprints([first], path=path, digest=digest)
    own = prints.of(record("a", 1))
    assert np.array_equal(own, fingerprint(first(record("a", 1))["image"]))
    prints.save()
    assert path.stat().st_mode & 0o777 == 0o600
    again = Loaded(shape)
    kept = Fingerprints([again], path=path, digest=digest)
    # Another name of the same content is known too; another content is not.
    assert np.array_equal(kept.of(record("b", 1)), own) and kept.of(record("b", 1)).dtype == own.dtype
    assert again.count == 0
    assert not np.array_equal(kept.of(record("a", 2)), own) and again.count == 1


def test_images_that_are_read_otherwise_have_prints_of_their_own(tmp_path: Path) -> None:
    path, loaded = tmp_path / "fingerprints.json", Loaded((1, 16, 16))
    prints = Fingerprints([loaded], path=path, digest=digest, about="grey")
    prints.of(record("a", 1))
    prints.save()
    Fingerprints([loaded], path=path, digest=digest, about="colour").of(record("a", 1))
    assert loaded.count == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"a": "bits:zz"}', '{"a": 3}'])
def test_a_damaged_file_is_computed_again(tmp_path: Path, text: str) -> None:
    path, loaded = tmp_path / "fingerprints.json", Loaded((1, 16, 16))
    path.write_text(text)
    Fingerprints([loaded], path=path, digest=digest).of(record("a", 1))
    assert loaded.count == 1
