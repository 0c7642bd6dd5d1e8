"""Inference must feed the network what training fed it, and answer on the file's own pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd
from PIL import Image
from scripts.data.loading import LoadPicture, LoadVolume
from scripts.data.picture_input import (
    NetworkGridd,
    NoMetadatad,
    PictureLevelsd,
    ReadImaged,
    images_in,
)
from scripts.data.transforms import normalisation
from scripts.errors import InputError, user_error

ROWS, COLUMNS, SIZE = 75, 95, 32


def steps(*, channels: int, spatial_dims: int = 2) -> Compose:
    return Compose(
        [
            ReadImaged("image", channels=channels),
            EnsureChannelFirstd("image"),
            PictureLevelsd("image"),
            NetworkGridd("image", image_size=SIZE, spatial_dims=spatial_dims),
            Compose(normalisation("half")),
        ]
    )


def picture(path: Path, mode: str) -> Path:
    levels = np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS, 4), dtype=np.uint8)
    levels[..., 3] = 255
    if mode == "P":
        Image.fromarray(levels[..., :3]).quantize(32).save(path)
    elif mode == "I;16":
        Image.fromarray(levels[..., 0].astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(levels).convert(mode).save(path)
    return path


MODES = ["L", "RGB", "RGBA", "P", "LA", "I;16", "1", "CMYK"]


@pytest.mark.parametrize(("mode", "channels"), [(mode, n) for mode in MODES for n in (1, 3)])
def test_network_sees_what_training_showed(tmp_path: Path, mode: str, channels: int) -> None:
    path = picture(tmp_path / ("odd.tif" if mode == "CMYK" else "odd.png"), mode)
    plain = LoadPicture("image", channels=channels)({"image": str(path)})["image"]
    expected = torch.nn.functional.interpolate(plain[None], (SIZE, SIZE), mode="area")[0] * 2 - 1
    seen = steps(channels=channels)({"image": str(path)})["image"]
    assert seen.shape == (channels, SIZE, SIZE)
    assert torch.allclose(seen.as_tensor(), expected, atol=1e-6)


def test_prediction_returns_to_the_pixels_of_the_file(tmp_path: Path) -> None:
    levels = np.zeros((ROWS, COLUMNS), np.uint8)
    levels[10:30, 50:90] = 255  # rows 10-29, columns 50-89: a transposition would show
    Image.fromarray(levels).save(tmp_path / "box.png")
    forward = steps(channels=1)
    record = forward({"image": str(tmp_path / "box.png")})
    record["pred"] = record["image"].clone()
    back = Invertd("pred", transform=forward, orig_keys="image", nearest_interp=False)(record)["pred"]
    assert back.shape == (1, COLUMNS, ROWS)  # MONAI's axes of a picture
    mask = back[0].numpy().T > 0
    truth = levels > 0
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_volume_keeps_values_and_axes(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).normal(300, 900, (11, 13, 9)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1, 1, 2, 1])), tmp_path / "volume.nii.gz")
    read = Compose([ReadImaged("image", channels=1), EnsureChannelFirstd("image"), PictureLevelsd("image")])
    record = read({"image": str(tmp_path / "volume.nii.gz")})
    assert np.allclose(record["image"][0].numpy(), values)
    grid = NetworkGridd("image", image_size=8, spatial_dims=3)
    small = grid(record)
    assert small["image"].shape == (1, 8, 8, 8)
    small["pred"] = small["image"].clone()
    back = Invertd("pred", transform=Compose([grid]), orig_keys="image")(small)["pred"]
    assert back.shape == (1, 11, 13, 9)


def test_volume_where_a_picture_is_asked_for_is_refused(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 4), np.float32), np.eye(4)), tmp_path / "volume.nii.gz")
    with pytest.raises(RuntimeError) as caught:
        steps(channels=1)({"image": str(tmp_path / "volume.nii.gz")})
    assert "2 spatial dimensions are asked for" in str(caught.value.__cause__)


def test_truncated_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    whole = picture(tmp_path / "whole.png", "L").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut.png: not a readable image"):
        ReadImaged("image", channels=1)({"image": str(path)})


def test_folder_is_listed_in_order_with_subfolders(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", "in/c.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [Path(entry["image"]).relative_to(tmp_path).as_posix() for entry in images_in(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "in/c.nii.gz"]


def test_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images found"):
        images_in(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        images_in(tmp_path / "absent")


def test_no_metadata_leaves_plain_tensors(tmp_path: Path) -> None:
    record = steps(channels=1)({"image": str(picture(tmp_path / "one.png", "L")), "image_meta_dict": {"x": 1}})
    plain = NoMetadatad("image")(record)
    assert type(plain["image"]) is torch.Tensor
    assert "image_meta_dict" not in plain


def seen(pixels: np.ndarray, *, channels: int, channel_dim: float = float("nan")) -> torch.Tensor:
    """What the network sees of pixels that a client sends in place of a file."""
    record = {"image": MetaTensor(torch.from_numpy(pixels), meta={"original_channel_dim": channel_dim})}
    return Compose([EnsureChannelFirstd("image"), PictureLevelsd("image", channels=channels)])(record)["image"]


def test_pixels_in_place_of_a_file_are_scaled_by_their_type() -> None:
    levels = np.random.default_rng(0).integers(0, 200, (6, 5), dtype=np.uint8)
    expected = torch.from_numpy(levels / 255)[None].float()
    for pixels in (levels, levels.astype(np.uint16) * 257, (levels / 255).astype(np.float32)):
        assert torch.allclose(seen(pixels, channels=1).as_tensor(), expected, atol=1e-6)
    assert torch.allclose(seen(levels, channels=3).as_tensor(), expected.expand(3, -1, -1), atol=1e-6)
    colours = np.stack([levels] * 3, -1)
    assert torch.allclose(seen(colours, channels=1, channel_dim=-1).as_tensor(), expected, atol=1e-6)
    for pixels in (levels.astype(np.float32), levels.astype(np.float32) * np.nan):
        with pytest.raises(RuntimeError) as caught:
            seen(pixels, channels=1)
        assert "range is not known" in str(user_error(caught.value))


def test_a_refusal_is_not_answered_by_another_reader(tmp_path: Path) -> None:
    levels = np.zeros((ROWS, COLUMNS), np.uint8)
    Image.fromarray(levels).save(tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(levels)])
    with pytest.raises(InputError, match="pages.tif: holds 2 pages"):
        ReadImaged("image", channels=1)({"image": str(tmp_path / "pages.tif")})


@pytest.mark.parametrize(
    "affine", [np.eye(4), np.diag([-1.0, -2, 3, 1]), [[0, 0, 2, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]]
)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_volume_is_read_as_in_training_and_answered_as_it_is_stored(
    tmp_path: Path, affine, spatial_dims: int
) -> None:
    nibabel = pytest.importorskip("nibabel")
    shape = (11, 13, 9 if spatial_dims == 3 else 1)
    values = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.asarray(affine, float)), tmp_path / "v.nii.gz")
    plain = LoadVolume(spatial_dims=spatial_dims)({"image": str(tmp_path / "v.nii.gz")})["image"]
    size = tuple(plain.shape[1:])
    forward = Compose(
        [
            ReadImaged("image", channels=1),
            EnsureChannelFirstd("image"),
            PictureLevelsd("image", channels=1),
            NetworkGridd("image", image_size=size, spatial_dims=spatial_dims),
        ]
    )
    record = forward({"image": str(tmp_path / "v.nii.gz")})
    assert torch.allclose(record["image"].as_tensor(), plain, atol=1e-6)
    record["pred"] = record["image"].clone()
    back = Invertd("pred", transform=forward, orig_keys="image", nearest_interp=False)(record)["pred"]
    assert back.shape == (1, *shape) and np.allclose(back[0].numpy(), values, atol=1e-6)
    assert np.allclose(back.meta["original_affine"], affine)
