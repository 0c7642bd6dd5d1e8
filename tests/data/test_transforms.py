"""Preprocessing and augmentation."""

from __future__ import annotations

import time

import pytest
import torch
from monai.transforms import Compose
from scripts.data import build_source
from scripts.data.transforms import AUGMENTATIONS, QuarterTurnsd, augmentation, preprocessing
from scripts.errors import InputError


@pytest.fixture
def source(tmp_path, picture, mask):
    picture(tmp_path / "Image_01L.jpg", size=(48, 32))
    mask(tmp_path / "Image_01L_1stHO.png", size=(48, 32))
    return build_source("chase", dataset_dir=tmp_path)


def sample(size=32):
    generator = torch.Generator().manual_seed(0)
    label = torch.zeros(1, size, size)
    label[:, : size // 4, : size // 2] = 1
    return {"image": torch.rand(3, size, size, generator=generator) * 2 - 1, "label": label}


def test_plain_tensors_and_no_paths(source):
    item = preprocessing(source, image_size=16)(source.records()[0])
    assert set(item) == {"image", "label", "image_id", "patient_id"}
    assert type(item["image"]) is torch.Tensor and type(item["label"]) is torch.Tensor
    assert item["image"].shape == (3, 16, 16) and item["label"].shape == (1, 16, 16)
    assert torch.equal(item["label"][0, :8, :8], torch.ones(8, 8)) and item["label"].sum() == 64


def test_resizing_averages_over_the_area(source):
    record = source.records()[0]
    whole = preprocessing(source, normalise="none")(record)["image"]
    assert whole.shape == (3, 32, 48)
    half = preprocessing(source, image_size=(16, 24), normalise="none")(record)["image"]
    expected = whole.reshape(3, 16, 2, 24, 2).mean((2, 4))
    torch.testing.assert_close(half, expected)


def test_normalisations(source):
    record = source.records()[0]
    plain = preprocessing(source, image_size=16, normalise="none")(record)["image"]
    half = preprocessing(source, image_size=16)(record)["image"]
    torch.testing.assert_close(half, (plain - 0.5) / 0.5)
    scored = preprocessing(source, image_size=16, normalise="zscore")(record)["image"]
    assert scored.mean() == pytest.approx(0, abs=1e-5) and scored.std() == pytest.approx(1, abs=1e-2)
    with pytest.raises(InputError, match="'full' is not one of half, zscore, none"):
        preprocessing(source, normalise="full")
    with pytest.raises(InputError, match="does not fit 2 spatial dimensions"):
        preprocessing(source, image_size=(8, 8, 8))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_keep_shapes_and_binary_masks(name):
    steps = Compose(augmentation(name))
    changed = 0
    for seed in range(10):
        given = sample()
        steps.set_random_state(seed=seed)
        made = steps(given)
        assert type(made["image"]) is torch.Tensor and made["image"].shape == (3, 32, 32)
        assert made["label"].shape == (1, 32, 32) and set(made["label"].unique().tolist()) <= {0.0, 1.0}
        assert torch.equal(given["image"], sample()["image"])
        changed += not torch.equal(made["image"], given["image"])
        if name == "phantom":
            assert torch.equal(made["label"], given["label"])
    assert changed == 0 if name == "none" else changed >= 6


@pytest.mark.parametrize("name", ["flips", "views", "fundus", "dermoscopy"])
def test_image_and_mask_move_together(name):
    """An image that is bright exactly where its mask is stays so under geometry and light."""
    steps = Compose(augmentation(name))
    for seed in range(20):
        item = sample()
        item["image"] = (item["label"] * 1.6 - 0.8).expand(3, -1, -1).clone()
        steps.set_random_state(seed=seed)
        made = steps(item)
        image, label = made["image"].mean(0, keepdim=True), made["label"].bool()
        if label.any() and not label.all():
            assert image[label].mean() > image[~label].mean() + 0.8


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_volumes_and_classes(name):
    volume = {"image": torch.rand(1, 8, 9, 10), "label": (torch.rand(1, 8, 9, 10) > 0.5).float()}
    assert Compose(augmentation(name, spatial_dims=3))(volume)["image"].shape == (1, 8, 9, 10)
    labelled = {"image": torch.rand(3, 16, 16), "label": torch.tensor(1)}
    assert Compose(augmentation(name, masks=False))(labelled)["label"] == 1


def test_augmentation_is_cheap():
    steps, item = Compose(augmentation("fundus")), sample(256)
    steps(item)
    start = time.process_time()
    for seed in range(10):
        steps.set_random_state(seed=seed)
        steps(item)
    assert (time.process_time() - start) / 10 < 0.1


def test_unknown_names():
    with pytest.raises(InputError, match="'fundu' is unknown; nearest: 'fundus'"):
        augmentation("fundu")


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(32, 48), (48, 32)])
def test_oblong_images_keep_their_shape(name, shape):
    label = torch.zeros(1, *shape)
    label[:, :8, :20] = 1
    item = {"image": label.repeat(3, 1, 1) * 2 - 1, "label": label}
    random = Compose(augmentation(name))
    for seed in range(20):
        random.set_random_state(seed=seed)
        made = random(dict(item))
        assert made["image"].shape == (3, *shape) and made["label"].shape == (1, *shape)


def test_quarter_turns_of_square_images_and_half_turns_of_oblong_ones():
    turn = QuarterTurnsd(("image", "label"), prob=1.0, max_k=3)
    for shape, allowed in (((4, 4), {1, 2, 3}), ((4, 6), {2})):
        image = torch.arange(float(shape[0] * shape[1])).reshape(1, *shape)
        seen = set()
        for seed in range(20):
            turn.set_random_state(seed=seed)
            made = turn({"image": image, "label": image})
            assert torch.equal(torch.as_tensor(made["image"]), torch.as_tensor(made["label"]))
            seen |= {k for k in (1, 2, 3) if torch.equal(torch.as_tensor(made["image"]), image.rot90(k, (1, 2)))}
        assert seen == allowed
