"""A round of joint steps depends on (seed, round) alone, and draws every image equally often."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from monai.transforms import RandGaussianNoised
from scripts.data.datasets import AugmentedDataset
from scripts.data.joint import JointLoader, SingleLoader, chained_order

SIZES = {"forget": 2, "retain": 3, "guard": 0}


def dataset(name: str, length: int) -> AugmentedDataset:
    items = [{"image": torch.full((1, 2, 2), float(i)), "image_id": f"{name}{i}"} for i in range(length)]
    return AugmentedDataset(items, [RandGaussianNoised("image", prob=1.0, std=0.1)])


def joint(*, seed: int = 0, steps: int = 4, sizes: dict[str, int] | None = None) -> JointLoader:
    data = {"forget": dataset("f", 3), "retain": dataset("r", 7), "guard": dataset("g", 4)}
    return JointLoader(data, batch_sizes=sizes or SIZES, steps=steps, seed=seed)


def content(loader: JointLoader, epoch: int) -> list:
    """Everything a round shows, ids and pixels."""
    loader.set_epoch(epoch)
    return [{name: (part["image_id"], part["image"].tolist()) for name, part in batch.items()} for batch in loader]


def test_a_round_is_the_same_whatever_came_before() -> None:
    fresh, used = joint(), joint()
    for epoch in (1, 2, 5):
        content(used, epoch)
    next(iter(used))  # a round that was broken off
    torch.manual_seed(123)
    assert content(used, 3) == content(fresh, 3) == content(used, 3)


def test_rounds_and_seeds_differ() -> None:
    loader = joint()
    orders = [[batch["retain"][0] for batch in content(loader, epoch)] for epoch in (1, 2)]
    assert orders[0] != orders[1]  # the images that are drawn, not only their augmentation
    assert content(joint(seed=1), 1) != content(loader, 1)


def test_iterating_draws_nothing_from_the_global_generator() -> None:
    torch.manual_seed(5)
    content(joint(), 1)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))


def test_each_step_has_a_batch_of_each_cohort_of_its_size() -> None:
    batches = content(joint(sizes={"forget": 2, "retain": 3, "guard": 1}), 1)
    assert len(batches) == len(joint()) == 4
    for batch in batches:
        assert {name: len(ids) for name, (ids, _) in batch.items()} == {"forget": 2, "retain": 3, "guard": 1}
        assert all(image_id[0] == name[0] for name, (ids, _) in batch.items() for image_id in ids)


def test_a_cohort_without_images_or_share_is_left_out() -> None:
    assert set(content(joint(), 1)[0]) == {"forget", "retain"}
    data = {"forget": dataset("f", 3), "guard": dataset("g", 0)}
    loader = JointLoader(data, batch_sizes={"forget": 1, "guard": 2}, steps=1, seed=0)
    assert set(content(loader, 1)[0]) == {"forget"}


def test_batch_is_no_larger_than_the_cohort() -> None:
    for batch in content(joint(sizes={"forget": 64, "retain": 64, "guard": 64}), 1):
        # Each image once, and not one of them twice.
        assert {name: len(set(ids)) for name, (ids, _) in batch.items()} == {"forget": 3, "retain": 7, "guard": 4}


def test_draws_are_even() -> None:
    counts = Counter(i for batch in content(joint(steps=11), 1) for i in batch["retain"][0])
    assert len(counts) == 7 and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(("length", "count"), [(1, 5), (5, 3), (4, 8), (7, 30)])
def test_chained_order_is_permutation_after_permutation(length: int, count: int) -> None:
    order = chained_order(length, count, seed=3)
    assert len(order) == count and order == chained_order(length, count, seed=3)
    for start in range(0, count - length + 1, length):
        # each pass counts on: the same images with other random transforms
        assert sorted(order[start : start + length]) == list(range(start, start + length))


def test_one_cohort_as_plain_batches() -> None:
    single = SingleLoader(joint=joint(), name="retain")
    single.set_epoch(2)
    assert len(single) == 4
    assert [batch["image_id"] for batch in single] == [batch["retain"][0] for batch in content(joint(), 2)]
