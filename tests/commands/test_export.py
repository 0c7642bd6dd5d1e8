"""`run export` by its config: weights, TorchScript, and an inference bundle by the settings that are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from scripts.files import write_json, write_tensors
from scripts.identity import file_digest
from scripts.record.run_folder import RunFolder
from scripts.tasks import build_network
from tests.commands.common import request_file, run

SHAPE = {"spatial_dims": 3, "in_channels": 1, "out_channels": 3}


def committed(folder: Path, network: torch.nn.Module) -> dict[str, Any]:
    """A run as commit leaves it, as far as export asks; the settings that find it."""
    found = RunFolder(output_dir=folder, log=False)
    found.note(state="committed")
    write_tensors(found.student, network.state_dict())
    write_json(found.release / "certificate.json", {"models": {"after": file_digest(found.student)}, "verdict": "PASS"})
    return {"output_dir": str(folder), "request": str(request_file(folder.parent / "request.csv", ["p007"]))}


def test_a_network_by_name_in_patches(tmp_path: Path) -> None:
    network = build_network(name="unet_half", seed=1, **SHAPE)
    own = committed(tmp_path / "run", network)
    patches = {"task": "multiclass_segmentation", "patch_size": 16, "image_size": None, "normalise": "zscore"}
    run("export", {**own, **SHAPE, **patches})
    made = tmp_path / "run" / "export" / "inference_bundle"
    config = json.loads((made / "configs" / "inference.json").read_text(encoding="utf-8"))
    assert config["network_def"]["_target_"] == "BasicUNet"
    assert config["inferer"]["roi_size"] == [16, 16, 16]
    assert not any(step["_target_"] == "Resized" for step in config["preprocessing"]["transforms"])
    metadata = json.loads((made / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert "verdict PASS" in metadata["changelog"]["0.1.0"]
    weights = torch.load(made / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert (tmp_path / "run" / "export" / "model.ts").is_file()


def test_a_network_by_its_block(tmp_path: Path) -> None:
    block = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": [4, 8]}
    block |= {"strides": [2]}
    from monai.networks.nets import UNet

    network = UNet(**{name: value for name, value in block.items() if name != "_target_"})
    own = committed(tmp_path / "run", network)
    run("export", {**own, "network_def": block, "image_size": [16, 24]})
    made = tmp_path / "run" / "export" / "inference_bundle"
    config = json.loads((made / "configs" / "inference.json").read_text(encoding="utf-8"))
    assert config["network_def"] == block
    sizes = [step["spatial_size"] for step in config["preprocessing"]["transforms"] if step["_target_"] == "Resized"]
    assert sizes == [[16, 24]]
