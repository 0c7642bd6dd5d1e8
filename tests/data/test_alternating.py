"""The released schedule: every retain image once, then every forget image once."""

from __future__ import annotations

import torch
from monai.transforms import RandGaussianNoised
from scripts.data.alternating import AlternatingLoader
from scripts.data.datasets import AugmentedDataset


def dataset(name: str, length: int) -> AugmentedDataset:
    items = [{"image": torch.full((1, 2, 2), float(i)), "image_id": f"{name}{i}"} for i in range(length)]
    return AugmentedDataset(items, [RandGaussianNoised("image", prob=1.0, std=0.1)])


def alternating(*, forget: int = 5, seed: int = 0) -> AlternatingLoader:
    data = {"retain": dataset("r", 10), "forget": dataset("f", forget)}
    return AlternatingLoader(data, batch_sizes={"retain": 4, "forget": 2}, seed=seed)


def content(loader: AlternatingLoader, epoch: int) -> list:
    loader.set_epoch(epoch)
    return [(name, part["image_id"], part["image"].tolist()) for batch in loader for name, part in batch.items()]


def test_retain_first_then_forget_and_the_last_part_of_each() -> None:
    passes = content(alternating(), 1)
    assert [name for name, _, _ in passes] == ["retain"] * 3 + ["forget"] * 3
    assert [len(ids) for _, ids, _ in passes] == [4, 4, 2, 2, 2, 1]
    assert len(alternating()) == 6


def test_every_image_once_a_round() -> None:
    ids = [image_id for _, batch, _ in content(alternating(), 4) for image_id in batch]
    assert sorted(ids) == sorted([f"r{i}" for i in range(10)] + [f"f{i}" for i in range(5)])


def test_a_round_is_the_same_whatever_came_before() -> None:
    used = alternating()
    content(used, 1), content(used, 7)
    next(iter(used))
    assert content(used, 3) == content(alternating(), 3) == content(used, 3)
    assert [ids for _, ids, _ in content(used, 3)] != [ids for _, ids, _ in content(used, 4)]
    assert content(alternating(seed=1), 3) != content(used, 3)


def test_without_forget_images_only_retain_passes() -> None:
    assert [name for name, _, _ in content(alternating(forget=0), 1)] == ["retain"] * 3
