"""Segmentation of several structures from training to evaluation, by the words `task` and `out_channels` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scripts.tasks import build_network
from tests.commands.common import EXACT, FORGET, ROOT, SMALL, front_end, pool_settings, read, refusal, request_file, run


@pytest.mark.parametrize(("task", "outputs"), [("multiclass_segmentation", 3), ("multilabel_segmentation", 2)])
def test_forgotten_and_measured_structure_by_structure(tmp_path: Path, task: str, outputs: int) -> None:
    own = {"task": task, "out_channels": outputs, "phantom_patients": 10}
    for fold in (-1, 0):
        run("train", {**pool_settings(tmp_path / "models", fold=fold), **own, "epochs": 1}, run_id="single")
    about = {"model_dir": str(tmp_path / "models"), "request": str(request_file(tmp_path / "request.csv", ["p007"]))}
    about |= {"output_dir": str(tmp_path / "run"), **own}
    run("forget", {**FORGET, **about, "min_rounds": 1, "max_rounds": 1})
    run("evaluate", {**SMALL, **EXACT, **about, "overlays": 1, "attacks": []})
    metrics = read(tmp_path / "run" / "release" / "metrics.json")
    for model in ("teacher", "student"):
        found = metrics[model]["validation"]
        assert {"dice", "dice_1", "dice_2", "hd95_2", "false_negative_rate_1"} <= set(found)
        mean = (found["dice_1"]["mean"] + found["dice_2"]["mean"]) / 2
        assert found["dice"]["mean"] == pytest.approx(mean, abs=1e-6)


def test_a_number_of_outputs_that_a_task_does_not_have_is_refused(tmp_path: Path) -> None:
    wrong = {**pool_settings(tmp_path / "models"), "task": "multiclass_segmentation", "out_channels": 2}
    error = refusal("train", wrong, run_id="single")
    assert "out_channels: 2, but task multiclass_segmentation has 3 for data set 'phantom' (core, rim)" in str(error)
    assert not (tmp_path / "models").exists()


def test_infer_writes_the_number_of_each_structure(tmp_path: Path) -> None:
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=3, seed=1).eval()
    levels = np.random.default_rng(0).integers(0, 256, (32, 48), dtype=np.uint8)
    image = (torch.from_numpy(levels).float()[None, None] / 255 - 0.5) / 0.5
    with torch.no_grad():
        # Untrained it gives one class everywhere; so it gives each about as often.
        network.final_conv.bias -= network(image).mean((0, 2, 3))
        expected = network(image).argmax(1)[0].numpy()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "images").mkdir()
    Image.fromarray(levels).save(tmp_path / "images" / "a.png")
    about = {"dataset_dir": str(tmp_path / "images"), "output_dir": str(tmp_path / "out"), "out_channels": 3}
    about |= {"checkpoint": str(tmp_path / "model.pt"), "image_size": "[32,48]"}
    overlay = ROOT / "configs" / "inference_multiclass.yaml"
    code, errors = front_end("inference", about, run_id="infer", overlays=[overlay])
    assert code == 0, errors
    found = np.asarray(Image.open(tmp_path / "out" / "a_mask.png"))
    assert len(np.unique(found)) > 1 and np.mean(found == expected) > 0.99  # ties of rounding
    # Without the overlay there is no mask that could hold them.
    code, errors = front_end("inference", {**about, "output_dir": str(tmp_path / "other")}, run_id="infer")
    assert code == 2 and "take configs/inference_multiclass.yaml on top" in errors
    assert not (tmp_path / "other" / "a_mask.png").exists()


def test_infer_writes_a_mask_of_each_structure_that_may_overlap(tmp_path: Path) -> None:
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=2, seed=1).eval()
    with torch.no_grad():
        network.final_conv.bias.copy_(torch.tensor([50.0, -50.0]))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "images").mkdir()
    Image.new("L", (48, 32), 90).save(tmp_path / "images" / "a.png")
    about = {"dataset_dir": str(tmp_path / "images"), "output_dir": str(tmp_path / "out"), "out_channels": 2}
    about |= {"checkpoint": str(tmp_path / "model.pt"), "image_size": "[32,48]"}
    overlay = ROOT / "configs" / "inference_multilabel.yaml"
    code, errors = front_end("inference", about, run_id="infer", overlays=[overlay])
    assert code == 0, errors
    found = [np.asarray(Image.open(tmp_path / "out" / f"a_mask_{number}.png")) for number in (1, 2)]
    assert [set(mask.ravel().tolist()) for mask in found] == [{255}, {0}]
