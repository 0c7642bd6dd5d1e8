"""A bundle of somebody else's, small enough for tests, with weights that nobody trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.foreign.bundles import SHAPES, write_bundle

PATTERN = r"case_(\d+)_"


@dataclass(frozen=True)
class Theirs:
    """A bundle and its data."""

    folder: Path
    data: Path

    @property
    def digest(self) -> str:
        from scripts.foreign.folder import ForeignFolder

        return ForeignFolder(self.folder).digest

    def bundle(self, **settings: Any) -> Any:
        """Scanned, and trusted by its digest."""
        from scripts.foreign.bundle import ForeignBundle

        return ForeignBundle(self.folder, **{"trust": self.digest, "dataset_dir": self.data, **settings})

    def source(self, **settings: Any) -> Any:
        """Its records."""
        from scripts.foreign.records import Foreign

        own = {"bundle": self.bundle(), "patient_from": PATTERN, "dataset_dir": self.data}
        return Foreign(**{**own, **settings})


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Theirs]:
    """`written("spleen_like_ct_segmentation")`: a bundle of that shape that tests leave as it is."""
    made: dict[str, Theirs] = {}

    def find(name: str) -> Theirs:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            bundle = write_bundle(folder, SHAPES[name], trained=4, held_out=4, epochs=1)
            made[name] = theirs = Theirs(bundle, folder / "data")
            torch.save(theirs.bundle().network().state_dict(), bundle / "models" / "model.pt")
        return made[name]

    return find


@pytest.fixture
def theirs(written: Callable[[str], Theirs], tmp_path: Path) -> Theirs:
    """A copy of a 3D U-Net's bundle, to be changed by a test."""
    first = written("spleen_like_ct_segmentation")
    shutil.copytree(first.folder, tmp_path / first.folder.name)
    shutil.copytree(first.data, tmp_path / "data")
    return Theirs(tmp_path / first.folder.name, tmp_path / "data")
