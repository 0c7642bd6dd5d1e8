"""Sets of a cohort as loaders; each image is prepared once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.transforms import RandShiftIntensityd
from scripts.data.alternating import AlternatingLoader
from scripts.data.joint import JointLoader
from scripts.methods.method import Method
from scripts.methods.registry import build_method


def ids(loader) -> list[str]:
    return [image_id for batch in loader for image_id in batch["image_id"]]


def test_evaluation_is_the_set_in_its_order(bench) -> None:
    loaders = bench.loaders()
    for name in ("forget", "retain", "selection", "validation", "test"):
        assert ids(loaders.evaluation(name)) == [record["image_id"] for record in bench.cohort.named(name)]


def test_each_image_is_prepared_once(bench) -> None:
    loaders = bench.loaders(augment=[RandShiftIntensityd("image", offsets=1.0, prob=1.0)])
    assert loaders.dataset("forget") is loaders.dataset("forget")
    training = loaders.training(["forget"])["forget"]
    assert training.base is loaders.dataset("forget").base
    plain = loaders.dataset("forget")[0]["image"]
    assert not torch.equal(training[0]["image"], plain)  # augmented
    assert torch.equal(loaders.dataset("forget")[0]["image"], plain)  # and the evaluation is not


def test_a_part_is_of_the_images_that_are_prepared_already(bench) -> None:
    loaders = bench.loaders()
    part = loaders.part("retain", [3, 0])
    wanted = [bench.cohort.retain[position]["image_id"] for position in (3, 0)]
    assert [item["image_id"] for item in part] == wanted
    assert torch.equal(part[1]["image"], loaders.dataset("retain")[0]["image"])


def test_a_sample_is_a_batch_of_one(bench) -> None:
    assert bench.loaders().sample("forget").shape == (1, 1, 32, 32)


def test_without_a_number_of_steps_a_round_is_a_pass_over_retain(bench) -> None:
    assert len(bench.loaders().joint(forget=2, retain=5, guard=0, steps=0)) == -(-len(bench.cohort.retain) // 5)


def test_joint_leaves_out_what_is_not_asked_for_or_empty(bench) -> None:
    assert not bench.cohort.guard
    batch = next(iter(bench.loaders().joint(forget=2, retain=3, guard=4, steps=5)))
    assert {name: len(part["image_id"]) for name, part in batch.items()} == {"forget": 2, "retain": 3}
    assert set(next(iter(bench.loaders().joint(forget=0, retain=3, guard=0, steps=5)))) == {"retain"}


def erasing(**settings: Any) -> Method:
    """The default method with these settings."""
    asked = {"goal": "unlearn", "schedule": "joint", "task": "segmentation", "reference": "fold", "exact": False}
    return build_method("erase_to_retain", asked | settings)


@pytest.mark.parametrize(("schedule", "kind"), [("joint", JointLoader), ("released", AlternatingLoader)])
def test_the_schedule_chooses_the_loader(bench, schedule: str, kind: type) -> None:
    method = erasing(schedule=schedule, forget_batch=2, retain_batch=8, steps_per_round=7, hard_share=0.5)
    loader = method.batches(bench.loaders(), bench.cohort.forget)
    retain, forget = len(bench.cohort.retain), len(bench.cohort.forget)
    assert isinstance(loader, kind)
    assert len(loader) == (7 if schedule == "joint" else -(-retain // 8) + -(-forget // 2))
    # The released schedule has every image once a round.
    assert loader.hard is None or list(loader.hard.positions["retain"]) == [
        record["image_id"] for record in bench.cohort.retain
    ]
    assert (loader.hard is None) == (schedule == "released")


@pytest.mark.parametrize("count", [0, 2])
def test_of_the_forget_set_only_what_a_method_looks_at_is_drawn(bench, count: int) -> None:
    loaders = bench.loaders()
    some = bench.cohort.forget[:count]
    drawn = list(erasing(forget_batch=2, retain_batch=2, steps_per_round=6).batches(loaders, some))
    found = {image for batch in drawn if "forget" in batch for image in batch["forget"]["image_id"]}
    assert found == {record["image_id"] for record in some}
    # What is evaluated is the whole set all the same.
    assert len(loaders.dataset("forget")) == len(bench.cohort.forget)
