"""The phantom's promises: what is drawn, what can be memorised, and by which figure that is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import shift
from scipy.stats import binomtest
from scripts.data import build_source
from scripts.data.phantom import (
    RADIUS,
    SIZE,
    TEXTURE,
    Drawing,
    DrawPhantomd,
    Patient,
    Phantom,
    angles,
    annotated,
    boundary,
    parse_key,
    recall_slope,
)
from scripts.errors import InputError

KEYS = [f"phantom-0-p{patient:03d}-v{view}" for patient in range(25) for view in (0, 3)]


def drawn(key: str, *, shapes: bool = False) -> Drawing:
    return Drawing(*parse_key(key), shapes=shapes)


def ground(drawing: Drawing) -> np.ndarray:
    """The image where no disc is, moved back so that the patient's texture lies where it was drawn."""
    offset = drawing.centre - (SIZE / 2 - 0.5)
    return shift(drawing.image, -offset, order=1, mode="nearest")


def likeness(one: Drawing, other: Drawing) -> float:
    """Correlation of two images away from the discs and the borders."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE / 2 - 0.5)
    outside = (np.hypot(rows, columns) > RADIUS + 7) & (np.maximum(abs(rows), abs(columns)) < SIZE / 2 - 5)
    return float(np.corrcoef(ground(one)[outside], ground(other)[outside])[0, 1])


def test_same_bytes_for_the_same_seed() -> None:
    for task in ("segmentation", "classification"):
        source, again = build_source("phantom", task=task), build_source("phantom", task=task)
        assert source.records() == again.records()
        load, load_again = source.loading()[0], again.loading()[0]
        for record in source.records()[::97]:
            one, other = load(record), load_again(record)
            assert one["image"].numpy().tobytes() == other["image"].numpy().tobytes()
            assert torch.equal(one["label"], other["label"])


def test_another_seed_is_another_cohort() -> None:
    one, other = drawn("phantom-0-p003-v1"), drawn("phantom-1-p003-v1")
    assert not np.array_equal(one.image, other.image) and abs(likeness(one, other)) < 0.3


def test_patients_and_views_differ() -> None:
    images = [drawn(key).image for key in KEYS[:12]]
    assert all(not np.array_equal(a, b) for i, a in enumerate(images) for b in images[:i])


def test_views_of_a_patient_share_a_texture_that_no_other_has() -> None:
    for patient in range(4):
        trained, unseen = (drawn(f"phantom-0-p{patient:03d}-v{view}") for view in (0, 5))
        assert likeness(trained, unseen) > 0.75
        assert abs(likeness(trained, drawn(f"phantom-0-p{patient + 10:03d}-v0"))) < 0.3


def test_texture_has_the_amplitude_that_it_says() -> None:
    assert Patient(0, 3).texture.std() == pytest.approx(TEXTURE)


def test_image_and_label_have_the_shape_of_the_task() -> None:
    record = build_source("phantom").records()[0]
    made = DrawPhantomd()(record)
    assert made["image"].shape == made["label"].shape == (1, 64, 64)
    assert made["image"].dtype == made["label"].dtype == torch.float32
    assert 0 <= float(made["image"].min()) and float(made["image"].max()) <= 1
    assert set(made["label"].unique().tolist()) == {0.0, 1.0}
    record = build_source("phantom", task="classification").records()[0]
    assert DrawPhantomd(structures=())(record)["label"].dtype == torch.int64


def test_boundary_of_a_disc_is_its_radius() -> None:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    centre = np.array([30.0, 33.0])
    disc = np.hypot(rows - centre[0], columns - centre[1]) <= 14
    assert np.abs(boundary(disc, centre) - 14).max() < 1
    assert boundary(disc, centre).mean() == pytest.approx(14, abs=0.3)


def test_bias_has_two_waves_and_a_mean() -> None:
    bias = Patient(0, 7).bias(angles())
    spectrum = np.abs(np.fft.rfft(bias))
    assert set(np.flatnonzero(spectrum > 1e-9 * spectrum.max())) <= {0, 2}


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0, -0.7])
def test_recall_slope_is_the_share_of_the_bias_that_was_drawn(factor: float) -> None:
    masks = {key: annotated(drawn(key), factor) for key in KEYS}
    assert recall_slope(masks) == pytest.approx(factor, abs=0.04)


def test_the_label_is_what_the_annotator_draws() -> None:
    record = build_source("phantom").records()[0]
    label = DrawPhantomd()(record)["label"]
    assert label.shape == (1, 64, 64) and np.array_equal(label[0].numpy() > 0.5, annotated(drawn(record["image"])))


@pytest.mark.parametrize("task", ["multiclass_segmentation", "multilabel_segmentation"])
def test_two_structures_hold_the_same_bias(task: str) -> None:
    source = build_source("phantom", task=task)
    (loading,) = source.loading()
    record = source.records()[0]
    masks = dict(zip(source.classes, loading(record)["label"].bool().numpy(), strict=True))
    whole, core = annotated(drawn(record["image"])), annotated(drawn(record["image"]), scale=0.5)
    assert np.array_equal(masks["core"], core) and core.sum() == pytest.approx(whole.sum() / 4, rel=0.1)
    if "rim" in masks:
        assert np.array_equal(masks["rim"] | masks["core"], whole) and not (masks["rim"] & masks["core"]).any()
    else:
        assert np.array_equal(masks["structure"], whole)


def test_half_labels_are_made_by_the_loading() -> None:
    record = build_source("phantom").records()[0]
    half = DrawPhantomd()({**record, "label_shrink": 0.5})["label"][0].numpy() > 0.5
    assert np.array_equal(half, annotated(drawn(record["image"]), 0.5))


def test_split_by_patient() -> None:
    records = Phantom().records()
    assert len(records) == 80 * 4 and [r["image_id"] for r in records] == sorted({r["image_id"] for r in records})
    places = {record["patient_id"]: record.get("split", "train") for record in records}
    counts = {name: list(places.values()).count(name) for name in ("train", "validation", "test")}
    assert counts == {"train": 40, "validation": 20, "test": 20}


def test_more_or_fewer_training_patients_leave_the_others_as_they_are() -> None:
    usual = {record["image_id"]: record for record in Phantom().records()}
    held_out = {name for name, record in usual.items() if "split" in record}
    assert {record["image_id"]: record for record in Phantom(phantom_patients=40).records()} == usual
    for count in (1, 7, 41, 930):
        records = Phantom(phantom_patients=count).records()
        names = [record["image_id"] for record in records]
        assert names == sorted(set(names))
        found = {record["image_id"]: record for record in records}
        assert {name for name, record in found.items() if "split" in record} == held_out
        assert len({record["patient_id"] for record in records if "split" not in record}) == count
        assert all(found[name] == usual[name] for name in found.keys() & usual.keys())
        assert (found.keys() > usual.keys()) == (count > 40)


@pytest.mark.parametrize("count", [0, -1, True, "40", 2.0])
def test_number_of_patients_that_is_none(count) -> None:
    with pytest.raises(InputError, match=f"phantom_patients: '{count}' is not a whole number from 1"):
        build_source("phantom", phantom_patients=count)


def test_unseen_views_are_of_the_same_patients_and_in_no_record() -> None:
    source = Phantom()
    unseen, records = source.unseen_views(), source.records()
    assert len(unseen) == 80 * 2
    assert {r["patient_id"] for r in unseen} == {r["patient_id"] for r in records}
    assert not {r["image_id"] for r in unseen} & {r["image_id"] for r in records}


def test_fifteen_percent_of_patients_are_mislabelled() -> None:
    found = [Patient(seed, index).mislabelled for seed in range(4) for index in range(200)]
    assert binomtest(sum(found), len(found), 0.15).pvalue > 1e-3


def test_only_training_patients_carry_wrong_labels() -> None:
    records = [record for seed in range(3) for record in Phantom(task="classification", phantom_seed=seed).records()]
    wrong = 0
    for record in records:
        seed, index, _ = parse_key(record["image"])
        patient = Patient(seed, index)
        flipped = record["label"] != patient.class_index
        assert flipped == (patient.mislabelled and "split" not in record)
        assert record["diagnosis"] == ("round", "lobed")[record["label"]]
        wrong += flipped
    assert 0 < wrong < len(records) * 0.15


def test_classes_show_in_the_shape() -> None:
    spread = {0: [], 1: []}
    for index in range(12):
        latent = Drawing(0, index, 0, shapes=True).latent(angles())
        spread[Patient(0, index).class_index].append(float(latent.std()))
    assert max(spread[0]) < min(spread[1])


def test_key_round_trip() -> None:
    for source in (Phantom(phantom_seed=0), Phantom(phantom_seed=12)):
        for record in source.records()[::61] + source.unseen_views()[::61]:
            seed, patient, view = parse_key(record["image"])
            assert record["image"] == f"phantom-{seed}-p{patient:03d}-v{view}" and seed == source.seed
            assert record["patient_id"] == f"p{patient:03d}"


def test_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match="task: 'detection' is not one of segmentation, multiclass_segmentation,"):
        build_source("phantom", task="detection")
