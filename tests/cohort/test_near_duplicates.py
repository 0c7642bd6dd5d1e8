"""Copies of forgotten images elsewhere are found and listed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scripts.cohort import near_duplicates, resolve, with_near_duplicates
from scripts.cohort.fingerprints import Fingerprints
from scripts.cohort.near_duplicates import COSINE, HASH_BITS, distances, fingerprint
from scripts.request import Request


def smooth(seed, *shape):
    coarse = torch.rand(1, 1, *[6] * len(shape), generator=torch.Generator().manual_seed(seed))
    mode = "bicubic" if len(shape) == 2 else "trilinear"
    return torch.nn.functional.interpolate(coarse, shape, mode=mode)[0].clamp(0, 1)


@pytest.fixture(params=[(64, 64), (16, 18, 20)], ids=["2d", "3d"])
def cohort_with_copies(request, listed, make_patients):
    """Patient 0 is forgotten; the copies are in a retained and in a test patient."""
    records = make_patients(12, images=1)
    for number, record in enumerate(records):
        record["image"] = smooth(number, *request.param)
    base = resolve(listed(records), validation_share=0.2, test_share=0.2)
    forgotten, kept, tested = base.retain[0], base.retain[1], base.test[0]
    noise = torch.randn(forgotten["image"].shape, generator=torch.Generator().manual_seed(0)) * 0.01
    for record in records:
        if record["image_id"] == kept["image_id"]:
            record["image"] = forgotten["image"]
        if record["image_id"] == tested["image_id"]:
            record["image"] = forgotten["image"] * 0.9 + 0.02 + noise
    source = listed(records)
    wanted = Request("r", "image", (forgotten["image_id"],), "2026-01-31", "research")
    cohort = resolve(source, request=wanted, validation_share=0.2, test_share=0.2)
    return cohort, source, [kept["image_id"], tested["image_id"]]


def test_copies_are_listed_with_their_distance_and_not_moved(cohort_with_copies):
    cohort, source, copies = cohort_with_copies
    assert cohort.resolution["near_duplicates"] is None
    found = with_near_duplicates(cohort, Fingerprints(source.loading()).of)
    pairs = found.resolution["near_duplicates"]
    assert {pair["image"]: pair["set"] for pair in pairs} == {copies[0]: "retain", copies[1]: "test"}
    apart = {pair["image"]: pair["distance"] for pair in pairs}
    assert apart[copies[0]] == 0 <= apart[copies[1]] and len(pairs) == 2
    assert found.retain == cohort.retain and found.test == cohort.test
    assert cohort.resolution["near_duplicates"] is None
    json.dumps(found.resolution)


def test_nothing_to_forget_and_thresholds(cohort_with_copies, listed, make_patients):
    cohort, source, copies = cohort_with_copies
    exact = near_duplicates(cohort, Fingerprints(source.loading()).of, threshold=1e-6)
    assert copies[0] in {pair["image"] for pair in exact}
    everything = near_duplicates(cohort, Fingerprints(source.loading()).of, threshold=1e9)
    assert len(everything) == 11
    assert [pair["distance"] for pair in everything] == sorted(pair["distance"] for pair in everything)
    assert near_duplicates(resolve(source), Fingerprints(source.loading()).of) == []


def test_distances_are_those_of_the_definitions():
    first, second = fingerprint(smooth(0, 64, 64)), fingerprint(smooth(1, 64, 64))
    assert first.shape == (64,) and first.dtype == bool
    assert distances(first, second[None])[0] == sum(a != b for a, b in zip(first, second, strict=True)) > 10
    one, two = fingerprint(smooth(0, 9, 9, 9)), fingerprint(smooth(1, 9, 9, 9))
    cosine = torch.nn.functional.cosine_similarity(torch.from_numpy(one), torch.from_numpy(two), dim=0)
    assert distances(one, two[None])[0] == pytest.approx(1 - float(cosine), abs=1e-5)
    assert distances(one, one[None])[0] == pytest.approx(0, abs=1e-6)
    assert distances(one, fingerprint(smooth(0, 9, 9, 9) * 1000 - 5)[None])[0] == pytest.approx(0, abs=1e-5)


def test_prints_are_those_of_the_perceptual_hash():
    imagehash = pytest.importorskip("imagehash")
    for seed in range(8):
        grey = smooth(seed, 64, 64)[0].mul(255).round().byte().numpy()
        theirs = imagehash.phash(Image.fromarray(grey)).hash.ravel()
        assert (fingerprint(torch.from_numpy(grey)[None].float()) != theirs).sum() <= 2


@pytest.mark.parametrize("shape", [(64, 64), (16, 18, 20)])
@pytest.mark.parametrize(("scale", "shift"), [(600, 100), (1e-4, 0), (1000, -1000), (-500, 20), (3e4, 0)])
def test_the_range_of_the_values_does_not_count(shape, scale, shift):
    scaled = [smooth(seed, *shape) * scale + shift for seed in range(6)]
    limit = HASH_BITS if len(shape) == 2 else COSINE
    prints = [fingerprint(image) for image in scaled]
    noise = torch.randn(scaled[0].shape, generator=torch.Generator().manual_seed(0))
    copy = fingerprint(scaled[0] + 0.002 * abs(scale) * noise)
    assert distances(copy, prints[0][None])[0] <= limit
    assert (distances(prints[0], np.stack(prints[1:])) > limit).all()


def test_one_bright_pixel_does_not_make_all_alike():
    images = [smooth(seed, 64, 64) * 500 for seed in range(6)]
    for number, image in enumerate(images):
        image[0, number, 2 * number] = 30_000
    prints = [fingerprint(image) for image in images]
    assert (distances(prints[0], np.stack(prints[1:])) > HASH_BITS).all()


@pytest.mark.parametrize("shape", [(64, 64), (9, 9, 9)])
def test_images_of_one_value_are_like_their_own_value_alone(shape):
    limit = HASH_BITS if len(shape) == 2 else COSINE
    blank = fingerprint(torch.full((1, *shape), 0.25))
    others = [torch.full((1, *shape), value) for value in (0.0, 0.26, 300.0)] + [smooth(0, *shape)]
    assert distances(blank, fingerprint(torch.full((1, *shape), 0.25))[None])[0] == pytest.approx(0, abs=1e-6)
    assert (distances(blank, np.stack([fingerprint(image) for image in others])) > limit).all()
