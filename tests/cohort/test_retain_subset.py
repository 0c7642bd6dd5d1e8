"""Which retain images a request draws from, and that no other is opened."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
import torch
from monai.transforms import Compose, Transform
from scripts.cohort import Cohort
from scripts.cohort.cohort import units
from scripts.cohort.loaders import CohortLoaders
from scripts.cohort.retain_subset import CHOICES, POOL, resolved_images, retain_subset, thumbnail
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.errors import InputError


def record(patient: str, image: int = 0, **more: Any) -> dict[str, Any]:
    return {"image_id": f"{patient}-{image}", "patient_id": patient, **more}


def cohort(retain, forget=(), guard=()) -> Cohort:
    return Cohort(forget=tuple(forget), retain=tuple(retain), guard=tuple(guard), selection=(), validation=(), test=())


def many(count: int, *, images: int = 3, **more: Any) -> list[dict[str, Any]]:
    return [record(f"p{patient:03d}", image, **more) for patient in range(count) for image in range(images)]


class Drawn:
    """Prepares a record: its `grey` as image and its `share` as mask. Remembers whom it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, record):
        self.asked.append(record["image_id"])
        image = torch.full((1, 16, 16), float(record.get("grey", 0.0)))
        label = torch.zeros(1, 10, 10)
        label.view(-1)[: int(100 * record.get("share", 0.0))] = 1
        return {**record, "image": image, "label": label}


def choose(of: Cohort, images: int | None, choice: str = "random", *, seed: int = 0, look=None, name: str = "retain"):
    return retain_subset(of, images=images, choice=choice, seed=seed, look=look or Drawn(), name=name)


@pytest.mark.parametrize("choice", CHOICES)
def test_whole_patients_in_the_order_of_the_set_and_the_same_each_time(choice: str) -> None:
    retain = [
        {**item, "grey": random.Random(item["image_id"]).random(), "share": random.Random(item["image_id"]).random()}
        for item in many(30)
    ]
    of = cohort(retain, forget=[record("f", grey=0.5)])
    found = choose(of, 16, choice)
    assert found == choose(of, 16, choice) and [item for item in retain if item in found] == list(found)
    # Patients of three images, until 16 images are reached.
    assert len(found) == 18 and set(Counter(item["patient_id"] for item in found).values()) == {3}
    shuffled = random.Random(3).sample(retain, len(retain))
    assert units(choose(cohort(shuffled, forget=of.forget), 16, choice)) == units(found)
    look = Drawn()
    assert choose(of, None, choice, look=look) == choose(of, 90, choice, look=look) == of.retain and look.asked == []


def test_random_follows_the_seed_and_larger_numbers_hold_smaller_ones() -> None:
    look = Drawn()
    of = cohort(many(40))
    drawn = [set(units(choose(of, images, look=look))) for images in (3, 12, 60)]
    assert drawn[0] < drawn[1] < drawn[2] and [len(part) for part in drawn] == [1, 4, 20]
    assert units(choose(of, 60, seed=1, look=look)) != units(choose(of, 60, look=look))
    assert look.asked == []


def test_another_request_leaves_the_draw_as_it_is() -> None:
    whole = cohort(many(40))
    gone = units(choose(whole, 12))[0]
    fewer = cohort([item for item in whole.retain if item["patient_id"] != gone])
    assert set(units(choose(whole, 12))) - {gone} < set(units(choose(fewer, 12)))


def test_guard_images_are_chosen_in_the_same_way() -> None:
    of = cohort(many(3), guard=[record(f"g{index}") for index in range(20)])
    assert len(choose(of, 5, name="guard")) == 5 and choose(of, 5, name="guard")[0]["patient_id"][0] == "g"


# ---- stratified ----


@pytest.mark.parametrize("images", [20, 40, 100])
@pytest.mark.parametrize("seed", range(4))
def test_classes_come_in_proportion_and_without_a_look(images: int, seed: int) -> None:
    classes = {"NV": 120, "BKL": 60, "MEL": 18, "DF": 2}
    names = [name for name, count in classes.items() for _ in range(count)]
    look = Drawn()
    found = choose(
        cohort([record(f"p{index:03d}", diagnosis=name) for index, name in enumerate(names)]),
        images,
        "stratified",
        seed=seed,
        look=look,
    )
    counts = Counter(item["diagnosis"] for item in found)
    assert len(found) == images and look.asked == []
    for name, count in classes.items():
        # At least one of a class; what the rarest is given, others lack.
        assert counts[name] >= 1 and abs(counts[name] - count * images / 200) <= 1.5


def test_a_patient_of_several_classes_stays_whole() -> None:
    retain = []
    for index in range(20):
        kinds = ["NV", "NV", "BKL"] if index % 2 else ["BKL", "BKL", "NV"]
        retain += [record(f"p{index:02d}", image, diagnosis=kind) for image, kind in enumerate(kinds)]
    found = choose(cohort(retain), 18, "stratified")
    assert set(Counter(item["patient_id"] for item in found).values()) == {3}
    assert Counter(int(unit[1:]) % 2 for unit in units(found)) == {0: 3, 1: 3}


@pytest.mark.parametrize("patients", [200, 800])
def test_without_classes_masks_decide_and_few_are_looked_at(patients: int) -> None:
    shares = [(index * 37 % patients) / patients for index in range(patients)]
    of = cohort([record(f"p{index:03d}", share=share) for index, share in enumerate(shares)])
    look = Drawn()
    found = choose(of, 20, "stratified", look=look)
    assert len(found) == 20 and len(look.asked) == len(set(look.asked)) == POOL * 20
    pool = sorted(item["share"] for item in of.retain if item["image_id"] in look.asked)
    quarters = Counter(pool.index(item["share"]) * 4 // len(pool) for item in found)
    assert quarters == {0: 5, 1: 5, 2: 5, 3: 5}


# ---- nearest ----


def test_the_nearest_are_the_nearest_and_all_are_looked_at_once() -> None:
    retain = [record(f"p{index:02d}", grey=index / 20) for index in random.Random(0).sample(range(20), 20)]
    look = Drawn()
    found = choose(cohort(retain, forget=[record("f", grey=0.62)]), 4, "nearest", look=look)
    assert sorted(item["grey"] for item in found) == [0.55, 0.6, 0.65, 0.7]
    assert sorted(look.asked) == sorted(["f-0", *(item["image_id"] for item in retain)])


def test_one_near_image_makes_a_near_patient() -> None:
    retain = [*many(5, images=2, grey=0.5), record("q", 0, grey=0.99), record("q", 1, grey=0.0)]
    found = choose(cohort(retain, forget=[record("f", grey=1.0)]), 2, "nearest")
    assert [item["image_id"] for item in found] == ["q-0", "q-1"]


def test_forget_patients_take_turns() -> None:
    near = [record(f"a{index}", grey=0.1 + index / 1000) for index in range(30)]
    far = [record(f"b{index}", grey=0.9 - index / 100) for index in range(30)]
    # The first has many images, the second's neighbours are further away: each chooses as many.
    forget = [*(record("f1", image, grey=0.1) for image in range(9)), record("f2", grey=1.0)]
    found = choose(cohort([*near, *far], forget=forget), 8, "nearest")
    assert units(found) == ("a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3")
    # Both want the same: the other then takes its next.
    alike = cohort(near, forget=[record("f1", grey=0.1), record("f2", grey=0.1)])
    assert units(choose(alike, 4, "nearest")) == ("a0", "a1", "a2", "a3")


def test_thumbnail_is_the_mean_of_blocks() -> None:
    image = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    expected = image.reshape(3, 8, 4, 8, 6).mean((2, 4)).flatten()
    assert torch.allclose(thumbnail(image), expected, atol=1e-6)
    assert thumbnail(torch.rand(1, 9, 10, 11)).shape == (512,)


# ---- values ----


def test_all_unless_a_number_is_given() -> None:
    assert resolved_images("all") is None and resolved_images(None) is None and resolved_images(7) == 7


@pytest.mark.parametrize("value", [0, -3, 1.5, True, "ten"])
def test_numbers_that_are_none(value: Any) -> None:
    with pytest.raises(InputError, match=f"retain_images: '{value}' is not a number of images; allowed are"):
        resolved_images(value)


def test_choices_that_are_none() -> None:
    for act in (lambda: choose(cohort(many(3)), 2, "best"), lambda: loaders(4, retain_choice="best")):
        with pytest.raises(InputError, match="retain_choice: 'best' is not one of random, stratified, nearest"):
            act()
    with pytest.raises(InputError, match="'nearest' needs images to forget"):
        choose(cohort(many(3)), 2, "nearest")


# ---- what a request opens ----


class Opened(Transform):
    """Notes the images that are prepared."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __call__(self, record):
        self.names.append(record["image_id"])
        return record


def loaders(patients: int, *, opened: list[str] | None = None, **settings: Any) -> CohortLoaders:
    """Loaders over so many phantom patients; the ids of the images that are prepared go into `opened`."""
    source = build_source("phantom", phantom_patients=patients)
    transform = Compose(
        [Opened(opened if opened is not None else []), *preprocessing(source, image_size=16).transforms]
    )
    records = [item for item in source.records() if "split" not in item]
    of = cohort(records[8:], forget=records[:8])
    return CohortLoaders(cohort=of, transform=transform, **settings)


@pytest.mark.parametrize("choice", ["random", "stratified"])
@pytest.mark.parametrize("schedule", ["joint", "released"])
def test_a_request_opens_as_many_images_whatever_the_size_of_the_training_set(choice: str, schedule: str) -> None:
    counts = []
    for patients in (14, 56):
        opened: list[str] = []
        made = loaders(patients, opened=opened, retain_images=12, retain_choice=choice)
        if schedule == "joint":
            loader: Any = made.joint(forget=2, retain=4, guard=0, steps=5, hard_share=0.5)
        else:
            loader = made.alternating(("retain", "forget"), forget=4, retain=4)
        looked = POOL * 12 if choice == "stratified" else 0
        assert len(opened) == 8 + looked  # the forget set, and what the choice looks at
        drawn = set()
        for epoch in range(4):
            loader.set_epoch(epoch)
            drawn |= {name for batch in loader for part in batch.values() for name in part["image_id"]}
        retain = {item["image_id"] for item in made.drawn("retain")}
        assert len(retain) == 12 and drawn - retain == {item["image_id"] for item in made.cohort.forget}
        report = made.report()["retain"]
        assert report.pop("choosing_seconds") >= 0
        assert report == {"images": 12, "patients": 3, "available": 4 * patients - 8, "looked_at": looked}
        counts.append(len(opened))
    assert counts[0] == counts[1] == 20 + looked


def test_without_a_number_only_what_is_drawn_is_opened() -> None:
    opened: list[str] = []
    made = loaders(56, opened=opened)
    loader = made.joint(forget=2, retain=3, guard=0, steps=2)
    assert len(opened) == 8
    assert len(list(loader)) == 2 and len(opened) == 8 + 6
    assert made.drawn("retain") == made.cohort.retain


def test_nearest_opens_every_image_once_more() -> None:
    opened: list[str] = []
    made = loaders(14, opened=opened, retain_images=12, retain_choice="nearest")
    made.joint(forget=2, retain=4, guard=0, steps=5)
    looked = made.report()["retain"]["looked_at"]
    assert looked == 56 and len(opened) == looked + 8


def test_evaluation_is_over_all(bench) -> None:
    made = bench.loaders(retain_images=2)
    assert len(made.drawn("retain")) == 2
    found = [name for batch in made.evaluation("retain") for name in batch["image_id"]]
    assert found == [item["image_id"] for item in bench.cohort.retain]


def test_weights_of_hard_examples_are_of_what_is_drawn(bench) -> None:
    made = bench.loaders(retain_images=4)
    loader = made.joint(forget=2, retain=2, guard=0, steps=3, hard_share=0.5)
    drawn = [item["image_id"] for item in made.drawn("retain")]
    assert list(loader.hard.positions["retain"]) == drawn and len(loader.hard.weights["retain"]) == 4
