"""What tests of all rooms share: where the repository is, where real data lies, a checkpoint of the default network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository root, which is the bundle root."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Callable[[str], Path]:
    """`data_root("CHASEDB1")`: folder of a real data set; skips the test where it is absent.

    The environment variable UNLEARN_DATA names the folder that holds the data sets; default ../shared/data.
    """
    base = Path(os.environ.get("UNLEARN_DATA") or ROOT.parent / "shared" / "data")

    def find(name: str = "") -> Path:
        folder = base / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name or 'folder'} not found; UNLEARN_DATA names the folder that holds it")
        return folder

    return find
