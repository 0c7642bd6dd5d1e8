"""The inference workflow: masks of the image's size, the same under both of its names, usable by MONAI Label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.data import decollate_batch
from monai.transforms import SaveImaged
from PIL import Image
from scripts.errors import user_error


def infer(folder: Path, output: Path, run_id: str, **settings: Any) -> None:
    workflow = ConfigWorkflow(
        config_file=str(folder / "configs/inference.yaml"),
        workflow_type="inference",
        run_id=run_id,
        bundle_root=str(folder),
        output_dir=str(output),
        device="cpu",
        **settings,
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()


@pytest.mark.parametrize("name", ["repository_bundle", "retina_bundle"])
def test_masks_are_uint8_of_the_images_size(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = request.getfixturevalue(name)
    for run_id in ("run", "infer"):
        infer(folder, tmp_path / run_id, run_id)
    images = sorted((folder / "sample_data").glob("*.png"))
    assert len(images) == 3
    for path in images:
        mask = Image.open(tmp_path / "run" / f"{path.stem}_mask.png")
        assert mask.mode == "L" and mask.size == Image.open(path).size
        assert set(np.unique(np.asarray(mask))) <= {0, 255}
        assert (tmp_path / "infer" / f"{path.stem}_mask.png").read_bytes() == (
            tmp_path / "run" / f"{path.stem}_mask.png"
        ).read_bytes()


def test_the_shipped_model_finds_the_structure(repository_bundle: Path, tmp_path: Path) -> None:
    infer(repository_bundle, tmp_path, "infer")
    for path in sorted((repository_bundle / "sample_data").glob("*.png")):
        mask = np.asarray(Image.open(tmp_path / f"{path.stem}_mask.png")) > 0
        middle = tuple(length // 2 for length in mask.shape)
        assert mask[middle] and not mask[0, 0] and not mask[-1, -1]
        assert 0.05 < mask.mean() < 0.6


def test_subfolders_keep_their_names(repository_bundle: Path, tmp_path: Path) -> None:
    for part in ("left", "right"):
        (tmp_path / "in" / part).mkdir(parents=True)
        image = Image.open(repository_bundle / "sample_data" / "synthetic_01.png")
        image.save(tmp_path / "in" / part / "eye.jpg")
    infer(repository_bundle, tmp_path / "out", "infer", dataset_dir=str(tmp_path / "in"))
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert found == ["left/eye_mask.png", "right/eye_mask.png"]


def test_classes_are_written_as_a_table(classification_bundle: Path, tmp_path: Path) -> None:
    infer(classification_bundle, tmp_path, "infer", inference_batch=2)
    rows = [line.split(",") for line in (tmp_path / "predictions.csv").read_text().splitlines()]
    assert [Path(row[0]).name for row in rows] == [f"synthetic_0{index}.png" for index in (1, 2, 3)]
    probabilities = np.array([[float(value) for value in row[1:]] for row in rows])
    assert probabilities.shape == (3, 3) and np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert len(np.unique(probabilities[:, 0])) == 3  # each image its own row


def test_a_wrong_folder_or_checkpoint_is_one_line(repository_bundle: Path, model_file: Path, tmp_path: Path) -> None:
    for settings, words in (
        ({"dataset_dir": str(tmp_path / "absent")}, "no such folder"),
        ({"checkpoint": str(model_file)}, "another architecture"),
    ):
        with pytest.raises(Exception) as caught:  # noqa: B017 - MONAI wraps it; what counts is the cause
            infer(repository_bundle, tmp_path / "out", "infer", **settings)
        assert words in str(user_error(caught.value))
    assert not (tmp_path / "out").exists()


def as_label_does(folder: Path, image: Path) -> dict[str, Any]:
    """What MONAI Label 0.8.5 does with a bundle: parts by id, no `initialize`, no SaveImaged, one image."""
    parser = ConfigParser(ConfigParser.load_config_files([str(folder / "configs/inference.yaml")]))
    parser["bundle_root"] = str(folder)
    parser["device"] = "cpu"
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    pre = parser.get_parsed_content("preprocessing").transforms
    post = [step for step in parser.get_parsed_content("postprocessing").transforms if not isinstance(step, SaveImaged)]
    data: dict[str, Any] = {"image": str(image)}
    for step in pre:
        data = step(data)
    with torch.no_grad():
        batch = parser.get_parsed_content("inferer")(data["image"][None], network.eval())
    data["pred"] = decollate_batch(batch)[0]
    for step in post:
        data = step(data)
    return data


def test_label_gets_a_mask_in_monai_axes(repository_bundle: Path, tmp_path: Path) -> None:
    image = repository_bundle / "sample_data" / "synthetic_01.png"
    pred = as_label_does(repository_bundle, image)["pred"]
    assert pred.dtype == torch.uint8 and tuple(pred.shape) == Image.open(image).size  # (W, H), no channel
    infer(repository_bundle, tmp_path, "run")
    written = np.asarray(Image.open(tmp_path / "synthetic_01_mask.png"))
    assert np.array_equal(pred.numpy().T * 255, written)


def test_label_gets_class_probabilities(classification_bundle: Path) -> None:
    data = as_label_does(classification_bundle, classification_bundle / "sample_data" / "synthetic_01.png")
    assert type(data["image"]) is torch.Tensor
    assert data["pred"].array.shape == (3,) and abs(float(data["pred"].array.sum()) - 1) < 1e-5


def test_label_gets_the_mask_of_a_slice_on_its_own_axes(repository_bundle: Path, tmp_path: Path) -> None:
    grey = np.asarray(Image.open(repository_bundle / "sample_data" / "synthetic_01.png").convert("L"))[:, 4:]
    affine = np.array([[0, -1.5, 0, 40], [0, 0, 2.5, -7], [-1, 0, 0, 3], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image((grey / 255).astype(np.float32)[..., None], affine), tmp_path / "slice.nii.gz")
    pred = as_label_does(repository_bundle, tmp_path / "slice.nii.gz")["pred"]
    assert tuple(pred.shape) == (*grey.shape, 1) and pred.any()
    assert np.allclose(pred.meta["original_affine"], affine)


def test_classes_of_slices_are_written_too(classification_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    grey = np.zeros((40, 64, 1), np.float32)
    nib.save(nib.Nifti1Image(np.repeat(grey[..., None], 3, 3), np.eye(4)), tmp_path / "in" / "slice.nii.gz")
    infer(classification_bundle, tmp_path / "out", "infer", dataset_dir=str(tmp_path / "in"))
    assert "slice.nii.gz" in (tmp_path / "out" / "predictions.csv").read_text()
