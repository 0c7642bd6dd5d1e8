"""The parts of the processes make up the batches of one, image for image and draw for draw."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scripts import processes
from scripts.data.alternating import AlternatingLoader
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.data.divided import WHOLE, Part, own_part, part_of
from scripts.data.joint import JointLoader, SingleLoader
from scripts.data.transforms import augmentation
from scripts.errors import InputError

IMAGES = 7


def dataset() -> AugmentedDataset:
    items = [
        {"image": torch.rand(1, 8, 8), "label": torch.zeros(1, 8, 8), "image_id": f"i{number}", "patient_id": "p"}
        for number in range(IMAGES)
    ]
    return AugmentedDataset(items, augmentation("flips"))


def epoch_loader(data: AugmentedDataset) -> EpochLoader:
    return EpochLoader(data, batch_size=3, seed=1, shuffle=True, divided=True)


def joint_loader(data: AugmentedDataset) -> SingleLoader:
    joint = JointLoader({"retain": data}, batch_sizes={"retain": 5}, steps=4, seed=1)
    return SingleLoader(joint=joint, name="retain")


def alternating_loader(data: AugmentedDataset) -> Any:
    loader = AlternatingLoader({"retain": data}, batch_sizes={"retain": 3}, seed=1)
    return [batch["retain"] for batch in loader]


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch):
    """`process(1, 2)`: this is the second of two."""

    def be(number: int, count: int) -> None:
        monkeypatch.setattr(processes, "rank", lambda: number)
        monkeypatch.setattr(processes, "size", lambda: count)

    return be


@pytest.mark.parametrize("total", [1, 2, 5, 8])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_even_and_complete(process, total: int, count: int) -> None:
    parts = []
    for number in range(count):
        process(number, count)
        parts.append(own_part(total))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(total))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sum(part.share for part in parts) == pytest.approx(1.0)


@pytest.mark.parametrize("make", [epoch_loader, joint_loader, alternating_loader])
@pytest.mark.parametrize("count", [2, 4])
def test_parts_make_up_the_batches_of_one_process(process, make, count: int) -> None:
    data = dataset()
    process(0, 1)
    whole = list(make(data))
    assert all(part_of(batch).share == 1 for batch in whole)
    divided = []
    for number in range(count):
        process(number, count)
        loader = make(data)
        divided.append(list(loader))
        assert len(loader) == len(whole)
    for batch, *parts in zip(whole, *divided, strict=True):
        counted = [part for part in parts if part_of(part).share]
        assert torch.equal(torch.cat([part["image"] for part in counted]), batch["image"])
        assert sum((part["image_id"] for part in counted), []) == batch["image_id"]
        assert sum(part_of(part).share for part in parts) == pytest.approx(1.0)


def test_an_empty_part_computes_one_image_that_counts_for_nothing(process) -> None:
    process(0, 2)
    last = list(epoch_loader(dataset()))[-1]
    assert part_of(last) == Part(0, 0, 1) and part_of(last).share == 0 and len(last["image"]) == 1


def test_loaders_of_evaluation_are_whole_in_every_process(process) -> None:
    process(1, 2)
    batches = list(EpochLoader(dataset(), batch_size=3))
    assert [len(batch["image"]) for batch in batches] == [3, 3, 1]
    assert all(part_of(batch) == WHOLE for batch in batches)


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [3, 3, 1]), (True, [3, 3])])
def test_drop_last(drop_last: bool, sizes: list[int]) -> None:
    loader = EpochLoader(dataset(), batch_size=3, drop_last=drop_last, divided=True)
    assert [len(batch["image"]) for batch in loader] == sizes and len(loader) == len(sizes)


@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 4]), (2, [2, 2, 3]), (7, [7]), (8, [7]), (4, [4, 3])])
def test_a_last_batch_that_is_too_small_joins_the_one_before(batch_size: int, sizes: list[int]) -> None:
    loader = EpochLoader(dataset(), batch_size=batch_size, seed=1, shuffle=True, divided=True, least=2)
    found = [batch["image_id"] for batch in loader]
    assert [len(batch) for batch in found] == sizes and len(loader) == len(sizes)
    plain = EpochLoader(dataset(), batch_size=batch_size, seed=1, shuffle=True, divided=True)
    assert sum(found, []) == sum((batch["image_id"] for batch in plain), [])


@pytest.mark.parametrize("epoch", range(6))
def test_a_retrained_twin_keeps_the_batches_of_its_original(epoch: int) -> None:
    def batches(without: tuple[int, ...]) -> list[list[str]]:
        loader = EpochLoader(dataset(), batch_size=2, seed=1, shuffle=True, divided=True, without=without, least=2)
        loader.set_epoch(epoch)
        return [batch["image_id"] for batch in loader]

    whole, twin = batches(()), batches((0, 3))
    assert len(whole) == len(twin)
    for batch, own in zip(whole, twin, strict=True):
        kept = [image for image in batch if image not in ("i0", "i3")]
        assert own[: len(kept)] == kept and len(own) >= 2 and len(set(own)) == len(own)
        assert not {"i0", "i3"} & set(own)


def test_too_few_images_for_one_batch_are_refused() -> None:
    with pytest.raises(InputError, match="batch_size: 1 where the network needs 2 images per batch"):
        EpochLoader(dataset(), batch_size=1, least=2)
    with pytest.raises(InputError, match="training set: 1 images where the network needs 2"):
        EpochLoader(dataset(), batch_size=4, least=2, without=range(IMAGES - 1))
