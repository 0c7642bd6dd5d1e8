"""Axes, value ranges and refusals of the file loaders."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from scripts.data.loading import ClassLabel, LoadMask, LoadPicture, LoadVolume, binary_mask, numbered_masks
from scripts.data.pictures import picture_channels
from scripts.errors import InputError

WIDTH, HEIGHT = 12, 8


def test_rows_come_first(tmp_path):
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[1, 7] = (255, 0, 51)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = LoadPicture()({"image": str(tmp_path / "a.png")})["image"]
    assert type(image) is torch.Tensor
    assert image.shape == (3, HEIGHT, WIDTH) and image.dtype == torch.float32
    np.testing.assert_allclose(image[:, 1, 7].numpy(), [1, 0, 0.2], atol=1e-6)
    assert image.sum() == pytest.approx(1.2)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_gives_the_asked_channels(tmp_path, picture, mode, channels):
    path = picture(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), mode=mode)
    image = LoadPicture(channels=channels)({"image": str(path)})["image"]
    assert image.shape == (channels, HEIGHT, WIDTH)
    assert 0 <= image.min() and 0.5 < image.max() <= 1
    assert picture_channels(path) == (1 if mode in ("L", "1", "LA") else 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("top", [65535, 200])
def test_sixteen_bits(tmp_path, channels, top):
    pixels = np.linspace(0, top, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = LoadPicture(channels=channels)({"image": str(tmp_path / "a.png")})["image"]
    assert image.max() == pytest.approx(top / 65535, abs=1e-2 if channels == 3 else 1e-6)


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (0, 0), (255, 255), (1, 1)])
def test_masks(tmp_path, mask, values):
    label = LoadMask()({"label": str(mask(tmp_path / "m.png", values=values))})["label"]
    expected = torch.full((1, HEIGHT, WIDTH), float(values[0] > 0))
    expected[:, : HEIGHT // 2, : WIDTH // 2] = float(values[1] > 0)
    assert label.dtype == torch.float32 and torch.equal(label, expected)


def test_palette_and_bit_masks(tmp_path, mask):
    plain = mask(tmp_path / "m.png")
    expected = LoadMask()({"label": str(plain)})["label"]
    with Image.open(plain) as image:
        image.convert("1").save(tmp_path / "bit.png")
        image.convert("RGB").save(tmp_path / "rgb.png")
        image.convert("RGBA").save(tmp_path / "rgba.png")
        indices = Image.fromarray((np.asarray(image) > 0).astype(np.uint8))
    for name, palette in {
        "coloured": [0, 0, 0, 128, 0, 0],  # as VOC has it: only the index tells
        "black-white": [0, 0, 0, 255, 255, 255],
    }.items():
        indices.putpalette(palette)
        indices.save(tmp_path / f"{name}.png")
    for name in ("bit", "rgb", "rgba", "coloured", "black-white"):
        assert torch.equal(LoadMask()({"label": str(tmp_path / f"{name}.png")})["label"], expected), name
    inverted = Image.fromarray((expected[0].numpy() == 0).astype(np.uint8))
    inverted.putpalette([255, 255, 255, 0, 0, 0])
    inverted.save(tmp_path / "inverted.png")
    assert torch.equal(LoadMask()({"label": str(tmp_path / "inverted.png")})["label"], expected)


def test_a_mask_that_is_not_binary_is_refused(tmp_path, mask, picture):
    for values in ((0, 128), (1, 255), (0, 2)):
        path = mask(tmp_path / "m.png", values=values)
        with pytest.raises(InputError, match=f"{path}: mask is not binary"):
            LoadMask()({"label": str(path)})
    grey = picture(tmp_path / "grey.png", mode="L")
    with pytest.raises(InputError, match=r"not binary \(values .*\.\.\.\)"):
        LoadMask()({"label": str(grey)})
    with pytest.raises(InputError, match="mask has colours"):
        LoadMask()({"label": str(picture(tmp_path / "rgb.png"))})
    with pytest.raises(InputError, match="not binary"):
        binary_mask(torch.tensor([[[0.0, -1.0, 1.0]]]), path="x")


def test_numbers_are_masks_one_by_one(tmp_path):
    numbers = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    Image.fromarray(numbers).save(tmp_path / "m.png")
    found = LoadMask(numbered=2)({"label": str(tmp_path / "m.png")})["label"]
    assert found.dtype == torch.float32 and found.tolist() == [(numbers == k).tolist() for k in (1, 2)]
    with pytest.raises(InputError, match="m.png: mask holds 2; allowed are the numbers 0 to 1"):
        LoadMask(numbered=1)({"label": str(tmp_path / "m.png")})
    with pytest.raises(InputError, match="mask holds 0.5; allowed are the numbers 0 to 2"):
        numbered_masks(torch.tensor([[[0.5, 1.0]]]), 2, path="x")


def test_a_file_for_each_structure(tmp_path, mask):
    paths = [str(mask(tmp_path / f"{name}.png")) for name in "ab"]
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(paths[1])
    first = LoadMask()({"label": paths[0]})["label"]
    found = LoadMask()({"label": paths})["label"]
    assert torch.equal(found[:1], first) and found[1].sum() == 0 and found.shape == (2, *first.shape[1:])


def test_a_mask_of_another_size_is_refused(tmp_path, picture, mask):
    record = {"image": str(picture(tmp_path / "a.png")), "label": str(mask(tmp_path / "m.png", size=(HEIGHT, WIDTH)))}
    with pytest.raises(InputError, match=r"m.png: mask size \(12, 8\) differs from image size \(8, 12\)"):
        LoadMask()(LoadPicture()(record))


def test_broken_files_are_named(tmp_path, picture):
    path = picture(tmp_path / "a.jpg", size=(64, 64))
    path.write_bytes(path.read_bytes()[:600])
    for content in (None, b"", b"no image at all"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=f"{path}: not a readable image: ."):
            LoadPicture()({"image": str(path)})
    with pytest.raises(InputError, match="no such file"):
        LoadPicture()({"image": str(tmp_path / "none.png")})
    with pytest.raises(InputError, match="not a readable image"):
        picture_channels(path)


def test_a_float_picture_has_no_range(tmp_path):
    Image.fromarray(np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(InputError, match="floating-point"):
        LoadPicture(channels=1)({"image": str(tmp_path / "f.tif")})


def save_volume(path, values):
    nib.save(nib.Nifti1Image(np.asarray(values, dtype=np.float32), np.eye(4)), path)
    return str(path)


def test_volumes_keep_values_and_axes(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 6, 7)) * 1000
    image = LoadVolume()({"image": save_volume(tmp_path / "v.nii.gz", values)})["image"]
    assert image.shape == (1, 5, 6, 7)
    np.testing.assert_allclose(image[0].numpy(), values, rtol=1e-6)
    two = LoadVolume(channels=2)({"image": save_volume(tmp_path / "c.nii", np.stack([values, -values], -1))})["image"]
    assert two.shape == (2, 5, 6, 7) and torch.equal(two[0], -two[1])
    flat = LoadVolume(spatial_dims=2)({"image": save_volume(tmp_path / "f.nii", values[..., :1])})["image"]
    assert flat.shape == (1, 5, 6)


def test_volumes_that_do_not_fit(tmp_path):
    path = save_volume(tmp_path / "v.nii", np.ones((5, 6, 7)))
    with pytest.raises(InputError, match="2 spatial dimensions"):
        LoadVolume(spatial_dims=2)({"image": path})
    with pytest.raises(InputError, match="1 channels where in_channels is 2"):
        LoadVolume(channels=2)({"image": path})
    with pytest.raises(InputError, match="not finite"):
        LoadVolume()({"image": save_volume(tmp_path / "n.nii", np.full((2, 2, 2), np.nan))})
    (tmp_path / "v.nii").write_bytes(b"short")
    with pytest.raises(InputError, match="v.nii: not a readable NIfTI file"):
        LoadVolume()({"image": path})


def test_volume_masks(tmp_path):
    values = np.zeros((5, 6, 7))
    values[1:3] = 1
    label = LoadMask(spatial_dims=3)({"label": save_volume(tmp_path / "m.nii", values)})["label"]
    assert label.shape == (1, 5, 6, 7) and label.sum() == 84
    with pytest.raises(InputError, match="not binary"):
        LoadMask(spatial_dims=3)({"label": save_volume(tmp_path / "m.nii", values * 0.5)})


def test_class_label():
    label = ClassLabel()({"label": 2})["label"]
    assert label.dtype == torch.int64 and label.shape == () and label == 2
