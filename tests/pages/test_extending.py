"""The examples of docs/EXTENDING.md, as they stand there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from monai.bundle import ConfigParser
from PIL import Image
from scripts import data
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.tasks.network_block import check_block
from tests.pages.test_pages import blocks


def test_the_network_fits(repository: Path) -> None:
    (block,) = blocks(repository / "docs" / "EXTENDING.md", "yaml")
    network = ConfigParser(yaml.safe_load(block)).get_parsed_content("network_def")
    check_block(network, torch.zeros(2, 1, 64, 64), source=build_source("phantom"), training=True)


@pytest.fixture
def pairs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's module, registered as the page says."""
    (code,) = blocks(repository / "docs" / "EXTENDING.md", "python")
    path = tmp_path / "pairs.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("scripts.data.pairs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scripts.data.pairs", module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(data.SOURCES, "pairs", ("pairs", "Pairs"))
    return module


def test_the_data_set_is_read(pairs: Any, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for patient in ("a", "b"):
        for number in range(2):
            Image.fromarray(np.full((20, 30), 99, np.uint8)).save(folder / f"{patient}_{number}.png")
            Image.fromarray(np.eye(20, 30, dtype=np.uint8) * 255).save(folder / f"{patient}_{number}.mask.png")
    source = build_source("pairs", dataset_dir=str(folder), channels=1)
    records = source.records()
    assert [record["patient_id"] for record in records] == ["a", "a", "b", "b"]
    item = preprocessing(source, image_size=16)(records[0])
    assert item["image"].shape == (1, 16, 16) and item["label"].shape == (1, 16, 16) and 0 < item["label"].mean() < 1
