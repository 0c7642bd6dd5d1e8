"""Caches, and draws that depend on (seed, epoch) alone."""

from __future__ import annotations

import os

import pytest
import torch
from monai.transforms import Compose, RandGaussianNoised, Transform
from scripts.data import build_source
from scripts.data.datasets import AugmentedDataset, EpochLoader, derive_seed, make_dataset
from scripts.data.transforms import augmentation, preprocessing
from scripts.errors import InputError


@pytest.fixture
def source(tmp_path, picture, mask):
    for seed in range(1, 4):
        for eye in "LR":
            picture(tmp_path / "data" / f"Image_0{seed}{eye}.jpg", seed=seed)
            mask(tmp_path / "data" / f"Image_0{seed}{eye}_1stHO.png")
    return build_source("chase", dataset_dir=tmp_path / "data")


def dataset(source, *, cache="memory", size=8, random="fundus", **options):
    return make_dataset(
        source.records(), preprocessing(source, image_size=size), cache=cache, random=augmentation(random), **options
    )


def drawn(loader, epoch):
    loader.set_epoch(epoch)
    return [(batch["image_id"], batch["image"], batch["label"]) for batch in loader]


def same(first, second):
    pairs = zip(first, second, strict=True)
    return all(a[0] == b[0] and torch.equal(a[1], b[1]) and torch.equal(a[2], b[2]) for a, b in pairs)


def test_the_caches_hold_the_same(source, tmp_path):
    made = [dataset(source, cache=cache, cache_dir=tmp_path / "cache") for cache in ("memory", "disk", "none")]
    for index in range(6):
        for other in made[1:]:
            assert torch.equal(made[0][index]["image"], other[index]["image"])
            assert made[0][index]["image_id"] == other[index]["image_id"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()].count("cache") == 1


def test_lazily_an_image_is_prepared_when_it_is_asked_for_and_once(source):
    seen = []

    class Counted(Transform):
        def __call__(self, record):
            seen.append(record["image_id"])
            return record

    transform = Compose([Counted(), *preprocessing(source, image_size=8).transforms])
    made = make_dataset(source.records(), transform, lazy=True)
    assert len(made) == 6 and seen == []
    first, far = made[3], made[3 + 6]
    assert seen == [first["image_id"]] and torch.equal(first["image"], far["image"])
    at_once = make_dataset(source.records(), transform)
    assert sorted(seen[1:]) == [record["image_id"] for record in source.records()]
    assert torch.equal(at_once[3]["image"], first["image"]) and torch.equal(at_once[3]["label"], first["label"])


def test_an_epoch_depends_on_seed_and_number_alone(source):
    loader = EpochLoader(dataset(source), batch_size=4, seed=1, shuffle=True)
    third = drawn(loader, 3)
    assert not same(third, drawn(loader, 4))
    torch.manual_seed(99)
    fresh = EpochLoader(dataset(source), batch_size=4, seed=1, shuffle=True)
    fresh.set_epoch(3)
    next(iter(fresh))  # a pass that is broken off leaves no trace
    assert same(third, drawn(fresh, 3))
    assert not same(third, drawn(EpochLoader(dataset(source), batch_size=4, seed=2, shuffle=True), 3))


def test_the_global_generators_are_left_alone(source):
    loader = EpochLoader(dataset(source), batch_size=4, seed=1, shuffle=True)
    before = torch.get_rng_state()
    drawn(loader, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_two_loaders_share_a_dataset(source):
    shared = dataset(source)
    first = EpochLoader(shared, batch_size=6, seed=1)
    alone = drawn(first, 2)
    EpochLoader(shared, batch_size=6, seed=2).set_epoch(5)
    assert same(alone, [(b["image_id"], b["image"], b["label"]) for b in first])


def test_sizes_and_order(source):
    loader = EpochLoader(dataset(source, random="none"), batch_size=4)
    assert len(loader) == 2 and [len(batch["image_id"]) for batch in loader] == [4, 2]
    assert [i for batch in loader for i in batch["image_id"]] == [record["image_id"] for record in source.records()]
    assert len(EpochLoader(dataset(source), batch_size=4, drop_last=True)) == 1


def test_the_cache_survives_what_a_batch_does_to_it(source):
    made = dataset(source, random="none")
    expected = made[0]["image"].clone()
    made[0]["image"].zero_()
    assert torch.equal(made[0]["image"], expected)


def test_the_disk_cache_follows_settings_and_files(source, tmp_path, mask):
    folder = tmp_path / "cache"
    assert dataset(source, cache="disk", cache_dir=folder)[0]["image"].shape == (3, 8, 8)
    assert dataset(source, cache="disk", cache_dir=folder, size=4)[0]["image"].shape == (3, 4, 4)
    plain = dataset(source, cache="disk", cache_dir=folder, random="none")
    assert plain[0]["label"].sum() == 16
    path = mask(tmp_path / "data" / "Image_01L_1stHO.png", values=(255, 0))
    os.utime(path, ns=(1, 1))
    assert dataset(source, cache="disk", cache_dir=folder, random="none")[0]["label"].sum() == 48


def test_the_disk_cache_is_used(source, tmp_path):
    dataset(source, cache="disk", cache_dir=tmp_path / "cache")[0]
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert len(files) == 1
    dataset(source, cache="disk", cache_dir=tmp_path / "cache")[0]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == files


def test_refusals(source):
    with pytest.raises(InputError, match="needs a cache_dir"):
        dataset(source, cache="disk")
    with pytest.raises(InputError, match="'ram' is not one of memory, disk, none"):
        dataset(source, cache="ram")


def test_derived_seeds_differ_and_stay():
    assert derive_seed(0, 1, 2) != derive_seed(0, 12) != derive_seed(0, 1, 3)
    assert derive_seed("a", 1) == derive_seed("a", 1) < 2**32


def test_a_few_fixed_views_an_image() -> None:
    items = [{"image": torch.zeros(1, 4, 4), "image_id": str(i)} for i in range(3)]
    data = AugmentedDataset(items, [RandGaussianNoised("image", prob=1.0, std=0.1)], views=2)
    data.seed = 5
    seen: dict[tuple[str, str], torch.Tensor] = {}
    for epoch in range(8):
        data.epoch = epoch
        for item in data:
            assert torch.equal(seen.setdefault((item["image_id"], item["view"]), item["image"]), item["image"])
    assert sorted(seen) == [(str(i), view) for i in range(3) for view in "01"]
    assert len({image.sum().item() for image in seen.values()}) == 6
    # The same image at an index past the end is in one of its own views.
    far = data[3 + 1]
    assert torch.equal(far["image"], seen["1", far["view"]])


def test_a_view_says_whether_it_comes_again() -> None:
    items = [{"image": torch.zeros(1, 4, 4)}]
    assert AugmentedDataset(items)[0]["view"] == "plain"
    assert AugmentedDataset(items, [RandGaussianNoised("image")])[0]["view"] == ""


def test_a_retrained_model_sees_what_the_original_saw_without_the_forgotten(source) -> None:
    """Same batches, same random transforms, same number of steps; what is left out is never opened."""
    opened: list[str] = []

    class Noted(Transform):
        def __call__(self, item):
            opened.append(item["image_id"])
            return item

    records = source.records()
    transform = Compose([Noted(), *preprocessing(source, image_size=16).transforms])
    noise = [RandGaussianNoised(keys="image", prob=1.0)]
    dataset = make_dataset(records, transform, random=noise, lazy=True)
    gone = {1, 4, 5}
    whole = EpochLoader(dataset, batch_size=4, shuffle=True, seed=3)
    rest = EpochLoader(dataset, batch_size=4, shuffle=True, seed=3, without=gone)
    names = {records[index]["image_id"] for index in gone}
    compared = 0
    for epoch in range(4):
        rest.set_epoch(epoch)
        opened.clear()
        found = list(rest)
        assert not names & set(opened)
        whole.set_epoch(epoch)
        expected = list(whole)
        assert len(found) == len(expected) == len(rest) > 1
        for one, other in zip(found, expected, strict=True):
            kept = [row for row, name in enumerate(other["image_id"]) if name not in names]
            if not kept:  # see the next test
                continue
            compared += 1
            assert one["image_id"] == [other["image_id"][row] for row in kept]
            assert torch.equal(one["image"], other["image"][kept])
    assert compared >= 4


def test_a_batch_that_loses_all_still_is_a_step(source) -> None:
    dataset = make_dataset(source.records()[:4], preprocessing(source, image_size=16))
    loader = EpochLoader(dataset, batch_size=2, without={0, 1})
    assert [len(batch["image_id"]) for batch in loader] == [1, 2] and len(loader) == 2
    with pytest.raises(InputError, match="no image is left"):
        EpochLoader(dataset, batch_size=2, without=range(4))
