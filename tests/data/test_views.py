"""Fixed views, and re-compression."""

from __future__ import annotations

import pytest
import torch
from scripts.data.views import VIEWS, RandRecompressd, recompressed, views
from scripts.errors import InputError
from tests.data.test_transforms import sample


def test_views_are_fixed_and_flips_undo_themselves():
    item = sample()
    made = dict(views())
    assert tuple(made) == VIEWS and views("none") == [] and views("jitter")[0][0] == "jitter"
    for name, view in made.items():
        image, label = view(item["image"], item["label"])
        again, _ = view(item["image"], item["label"])
        assert torch.equal(image, again) and not torch.equal(image, item["image"]), name
        assert image.shape == item["image"].shape and image.dtype == torch.float32
        if name.startswith("flip"):
            assert torch.equal(view(image, label)[0], item["image"])
            assert not torch.equal(label, item["label"])
        else:
            assert torch.equal(label, item["label"])
    # horizontally: columns change places, rows stay
    assert torch.equal(made["flip_h"](item["image"], item["label"])[0][:, 0, 0], item["image"][:, 0, -1])


@pytest.mark.parametrize("normalise", ["half", "none", "zscore"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_recompression_loses_little_of_a_smooth_image(normalise, channels):
    image = torch.linspace(0.1, 0.9, 64).repeat(channels, 64, 1)
    image = {"half": image * 2 - 1, "none": image, "zscore": (image - image.mean()) / image.std()}[normalise]
    made = views("jpeg", normalise=normalise)[0][1](image, torch.tensor(0))[0]
    spread = image.max() - image.min()
    assert 0 < (made - image).abs().mean() < 0.03 * spread


def test_volumes_have_no_jpeg_view():
    made = dict(views(spatial_dims=3))
    volume = torch.rand(1, 4, 5, 6)
    assert set(made) == {"flip_h", "flip_v", "jitter"}
    assert torch.equal(made["flip_h"](volume, volume)[0], volume.flip(2))
    assert made["flip_h"](volume, torch.tensor(1))[1] == 1


def test_unknown_view():
    with pytest.raises(InputError, match="'blur' is unknown; allowed: all, none, flip_h"):
        views("blur")


def test_random_recompression_draws_its_quality_and_repeats_it():
    step = RandRecompressd(prob=1.0, quality=(30, 90), normalise="half")
    image = sample()["image"]
    allowed = [recompressed(image, quality=quality, normalise="half") for quality in range(30, 91)]
    made = []
    for seed in (0, 1, 2, 0):
        step.set_random_state(seed=seed)
        made.append(step({"image": image, "label": 1})["image"])
    assert all(any(torch.equal(one, other) for other in allowed) for one in made)
    assert torch.equal(made[0], made[3]) and not torch.equal(made[0], made[1])


def test_random_recompression_happens_as_often_as_said():
    step = RandRecompressd(prob=0.25, quality=(50, 50), normalise="half").set_random_state(seed=0)
    image = sample()["image"]
    changed = sum(not torch.equal(step({"image": image})["image"], image) for _ in range(400))
    assert 60 <= changed <= 140


@pytest.mark.parametrize("normalise", ["half", "none"])
def test_recompression_does_not_saturate_the_values_of_a_slice(normalise):
    image = torch.linspace(100, 700, 64).repeat(1, 64, 1)
    made = recompressed(image, quality=90, normalise=normalise)
    assert (made - image).abs().mean() < 0.03 * 600
