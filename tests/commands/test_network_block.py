"""`network_def` as a plain MONAI block, from training to evaluation: networks for which there is no short name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from scripts.record.lock import LOCK
from tests.commands.common import (
    EXACT,
    FORGET,
    SMALL,
    assert_same_tensors,
    pool_settings,
    read,
    refusal,
    request_file,
    run,
)

DYNUNET = {
    **{"_target_": "DynUNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 3, "kernel_size": [3, 3, 3]},
    **{"strides": [1, 2, 2], "upsample_kernel_size": [2, 2], "filters": [4, 8, 8]},
    **{"deep_supervision": True, "deep_supr_num": 1},
}
SWIN = {
    **{"_target_": "SwinUNETR", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "feature_size": 12},
    **{"depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 2], "window_size": 4},
}
CLASSES = {"task": "multiclass_segmentation", "out_channels": 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "own", "how"),
    [
        (DYNUNET, CLASSES, {"trainable": "all"}),
        (DYNUNET, CLASSES, {"lora_rank": 2}),
        (SWIN, {"image_size": 64}, {"lora_rank": 2}),
    ],
    ids=["dynunet-all", "dynunet-adapter", "swin-adapter"],
)
def test_a_network_by_its_block(
    tmp_path: Path, block: dict[str, Any], own: dict[str, Any], how: dict[str, Any]
) -> None:
    shared = {"network_def": block, **own}
    for fold in (-1, 0):
        training = {**pool_settings(tmp_path / "models", fold=fold), "epochs": 1, "phantom_patients": 10}
        run("train", {**training, **shared}, run_id="single")
    request = request_file(tmp_path / "request.csv", ["p007"])
    about = {"model_dir": str(tmp_path / "models"), "request": str(request), "output_dir": str(tmp_path / "run")}
    about |= {"phantom_patients": 10, **shared}
    forget = {name: value for name, value in FORGET.items() if name != "lora_rank"}
    run("forget", {**forget, **about, **how, "min_rounds": 1, "max_rounds": 1})
    run("evaluate", {**SMALL, **EXACT, **about, "overlays": 0, "surface": False, "attacks": []})
    metrics = read(tmp_path / "run" / "release" / "metrics.json")
    assert 0 <= metrics["student"]["validation"]["dice"]["mean"] <= 1
    reverting = {"output_dir": about["output_dir"], "model_dir": about["model_dir"], "network_def": block}
    run("revert", {**reverting, "out_channels": block["out_channels"]})
    assert_same_tensors(tmp_path / "run" / "release" / "teacher.pt", tmp_path / "models" / "model.pt")
    # A notebook and a server live on after their workflows: none of these keeps its folder from other processes.
    assert not list(tmp_path.rglob(LOCK))


def test_its_initial_weights_follow_from_the_seed(tmp_path: Path) -> None:
    """Whatever else has drawn from torch's generator before: originals and retrained models are pairs."""
    shared = {"network_def": DYNUNET, **CLASSES, "epochs": 1, "phantom_patients": 10}
    for place in range(2):
        torch.rand(place)
        run("train", {**pool_settings(tmp_path / str(place), fold=-1), **shared}, run_id="single")
    assert_same_tensors(tmp_path / "0" / "model.pt", tmp_path / "1" / "model.pt")


def test_a_block_that_does_not_fit_the_images_is_refused(tmp_path: Path) -> None:
    error = refusal("train", {**pool_settings(tmp_path / "models"), "network_def": SWIN}, run_id="single")
    assert "network_def: SwinUNETR cannot take images of 32 x 32 pixels with 1 channels" in str(error)
    error = refusal("train", {**pool_settings(tmp_path / "models"), "network_def": DYNUNET}, run_id="single")
    assert "DynUNet answers (2, 3, 32, 32); task segmentation needs (2, 1, 32, 32)" in str(error)
    assert not (tmp_path / "models").exists()
