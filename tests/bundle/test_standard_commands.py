"""MONAI's own commands on the repository and on built bundles, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from monai.bundle import ckpt_export, load, verify_metadata, verify_net_in_out
from tests.bundle.conftest import SCHEMA

CONFIG, META = "configs/inference.yaml", "configs/metadata.json"


def test_metadata_keeps_the_schema(any_bundle: Path, tmp_path: Path) -> None:
    shutil.copy(SCHEMA, tmp_path / "schema.json")  # a file at the target path is not downloaded again
    verify_metadata(meta_file=str(any_bundle / META), filepath=str(tmp_path / "schema.json"))


def test_broken_metadata_is_found(repository: Path, tmp_path: Path) -> None:
    broken = json.loads((repository / META).read_text())
    del broken["network_data_format"]["outputs"]["pred"]["value_range"]
    (tmp_path / "metadata.json").write_text(json.dumps(broken))
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    with pytest.raises(ValueError, match="schema"):
        verify_metadata(meta_file=str(tmp_path / "metadata.json"), filepath=str(tmp_path / "schema.json"))


def test_metadata_names_what_the_zoo_asks_for(any_bundle: Path) -> None:
    meta = json.loads((any_bundle / META).read_text())
    assert meta["version"] in meta["changelog"]
    assert next(iter(meta["network_data_format"]["inputs"])) == "image"
    assert next(iter(meta["network_data_format"]["outputs"])) == "pred"
    assert (any_bundle / "LICENSE").is_file() and (any_bundle / "models" / "model.pt").is_file()


def test_network_has_the_shape_that_the_metadata_says(any_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(any_bundle)
    verify_net_in_out(net_id="network_def", meta_file=META, config_file=CONFIG, device="cpu")


def test_checkpoint_exports_to_torchscript(any_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(any_bundle)
    target = tmp_path / "model.ts"
    ckpt_export(
        net_id="network_def", filepath=str(target), ckpt_file="models/model.pt", meta_file=META, config_file=CONFIG
    )
    scripted = torch.jit.load(str(target)).eval()
    shape = json.loads(Path(META).read_text())["network_data_format"]["inputs"]["image"]
    image = torch.zeros(1, shape["num_channels"], *shape["spatial_shape"])
    assert torch.isfinite(scripted(image)).all()


def test_python_load_gives_the_network(retina_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(retina_bundle)
    network = load(
        retina_bundle.name,
        bundle_dir=str(retina_bundle.parent),
        source="github",
        workflow_type="inference",
        device="cpu",
    )
    assert network(torch.zeros(1, 3, 48, 48)).shape == (1, 1, 48, 48)


def test_built_bundle_stands_alone(retina_bundle: Path, tmp_path: Path) -> None:
    """One true command line, in the bundle's folder and without the repository on the path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", "monai.bundle", "run", "infer", "--config_file", CONFIG, "--output_dir"]
    done = subprocess.run(
        [*command, str(tmp_path / "masks")], cwd=retina_bundle, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((tmp_path / "masks").glob("*.png"))) == 3
