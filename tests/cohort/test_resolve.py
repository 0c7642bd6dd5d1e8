"""Requests to cohorts: what is matched, pulled in, moved, and refused."""

from __future__ import annotations

import json
import random

import pytest
from scripts.cohort import SETS, resolve
from scripts.cohort.cohort import image_ids, units
from scripts.errors import InputError
from scripts.request import Request

OPTIONS = {"seed": 0, "validation_share": 0.2, "test_share": 0.1, "guard_share": 0.1, "folds": 2}


@pytest.fixture
def source(listed, make_patients):
    return listed(make_patients(20, images=4))


@pytest.fixture
def base(source):
    return resolve(source, **OPTIONS)


def request(level, *ids):
    return Request("r-1", level, tuple(sorted(ids)), "2026-01-31", "erasure_request", "request.csv")


def test_without_a_request_all_training_data_is_retained(base):
    assert base.forget == () and len(base.retain) == 48
    assert {name: entry["patients"] for name, entry in base.sizes().items()} == {
        "forget": 0,
        "retain": 12,
        "guard": 2,
        "selection": 2,
        "validation": 2,
        "test": 2,
    }


def test_the_sets_share_neither_patient_nor_image(source, base):
    cohort = resolve(source, forget_ratio=0.25, **OPTIONS)
    together = [record["image_id"] for name in SETS for record in cohort.named(name)]
    assert sorted(together) == [record["image_id"] for record in source.records()]
    owners = [unit for name in SETS for unit in units(cohort.named(name))]
    assert len(owners) == len(set(owners)) == 20
    assert image_ids(cohort.training()) == image_ids(base.retain)


@pytest.mark.parametrize("level", ["patient", "study", "image"])
def test_one_image_pulls_in_the_patient(source, base, level):
    patient = base.retain[0]["patient_id"]
    named = [record for record in base.retain if record["patient_id"] == patient]
    key = {"patient": "patient_id", "study": "study_id", "image": "image_id"}[level]
    cohort = resolve(source, request=request(level, named[0][key]), **OPTIONS)
    assert image_ids(cohort.forget) == image_ids(named)
    matched = [record["image_id"] for record in named if record[key] == named[0][key]]
    assert cohort.resolution["matched"] == sorted(matched)
    assert cohort.resolution["pulled_in"] == sorted(set(image_ids(named)) - set(matched))
    assert len(cohort.resolution["pulled_in"]) == {"patient": 0, "study": 2, "image": 3}[level]
    for name in ("guard", "selection", "validation", "test"):
        assert cohort.named(name) == base.named(name)


def test_a_request_leaves_split_and_folds_alone(source, base):
    cohort = resolve(source, request=request("patient", base.retain[0]["patient_id"]), **OPTIONS)
    assert dict(cohort.folds) == dict(base.folds)
    record = cohort.forget[0]
    fold = cohort.fold_of(record)
    assert record not in cohort.training(fold) and record in cohort.training(1 - fold)
    assert cohort.training() == base.training()
    assert cohort.fold_of(cohort.test[0]) == -1
    assert len(cohort.training(0)) + len(cohort.training(1)) == len(cohort.training())


def test_held_out_patients_of_a_request_are_no_longer_reported(source, base):
    trained, tested = base.retain[0]["patient_id"], base.test[0]["patient_id"]
    cohort = resolve(source, request=request("patient", trained, tested), **OPTIONS)
    assert units(cohort.forget) == (trained,)
    assert tested not in units(cohort.test) and len(cohort.test) == len(base.test) - 4
    assert list(cohort.resolution["not_trained_on"]) == ["test"]
    assert len(cohort.resolution["not_trained_on"]["test"]) == 4


@pytest.mark.parametrize("name", ["guard", "selection", "validation", "test"])
def test_a_model_forgets_only_what_it_was_trained_on(source, base, name):
    patient = base.named(name)[0]["patient_id"]
    with pytest.raises(InputError, match=f"request.csv: .*not trained on patient '{patient}' .*'{name}'"):
        resolve(source, request=request("patient", patient), **OPTIONS)


def test_a_class_is_forgotten_by_image_and_stays_in_the_held_out_sets(source, base):
    cohort = resolve(source, request=request("class", "BKL"), **OPTIONS)
    assert {record["diagnosis"] for record in cohort.forget} == {"BKL"}
    assert {record["diagnosis"] for record in cohort.retain} == {"NV"}
    for name in ("validation", "test"):
        assert cohort.named(name) == base.named(name)
        apart = cohort.held_out_class(["BKL"], of=name)
        assert image_ids(apart) == cohort.resolution["held_out_class"][name]
        assert all(record["diagnosis"] == "BKL" for record in apart)


@pytest.mark.parametrize(
    ("level", "ids", "words"),
    [
        ("patient", ["p0"], "patient id 'p0' matches nothing in the data set; nearest known: 'p0"),
        ("patient", ["p01", "zz"], "id 'zz' matches"),
        ("image", ["p01"], "image id 'p01' matches nothing"),
        ("lesion", ["l1"], "lesion id 'l1' matches nothing in the data set; nearest known: none"),
        ("class", ["NW"], "class id 'NW' matches nothing in the data set; nearest known: 'NV'"),
        ("class", ["NV", "BKL"], "no retain data is left"),
    ],
)
def test_refuses(source, level, ids, words):
    with pytest.raises(InputError, match=words) as caught:
        resolve(source, request=request(level, *ids), **OPTIONS)
    assert str(caught.value).startswith("request.csv: ")


def test_all_patients_leave_no_retain_data(source, base):
    with pytest.raises(InputError, match="no retain data is left"):
        resolve(source, request=request("patient", *units(base.retain)), **OPTIONS)


def test_a_forget_ratio_draws_patients_by_seed(source, base):
    cohort = resolve(source, forget_ratio=0.25, **OPTIONS)
    assert len(units(cohort.forget)) == 3 and len(cohort.forget) == 12
    assert cohort.resolution["matched"] == image_ids(cohort.forget) and cohort.resolution["pulled_in"] == []
    # not the first of each fold, nor the neighbours of a set
    draws = {units(resolve(source, forget_ratio=0.25, **{**OPTIONS, "seed": seed}).forget) for seed in range(5)}
    assert len(draws) == 5
    for ratio in (-0.1, 1, "a", None):
        with pytest.raises(InputError, match="forget_ratio"):
            resolve(source, forget_ratio=ratio, **OPTIONS)


def test_a_request_goes_before_the_ratio(source, base):
    patient = base.retain[0]["patient_id"]
    cohort = resolve(source, request=request("patient", patient), forget_ratio=0.5, **OPTIONS)
    assert units(cohort.forget) == (patient,) and cohort.resolution["settings"]["forget_ratio"] == 0.0


def test_the_resolution_is_the_same_json_in_any_order(listed, make_patients):
    records = make_patients(20, images=3)
    trained = resolve(listed(records), **OPTIONS).retain
    ids = sorted([trained[0]["image_id"], trained[-1]["image_id"]])
    wanted = request("image", *ids)
    texts = set()
    for seed in range(3):
        shuffled = listed(random.Random(seed).sample(records, len(records)))
        texts.add(json.dumps(resolve(shuffled, request=wanted, **OPTIONS).resolution, sort_keys=True))
    assert len(texts) == 1
    resolution = json.loads(texts.pop())
    assert resolution["request"]["ids"] == ids and resolution["unmatched"] == []
    assert resolution["unit"] == "patient" and resolution["sizes"]["forget"] == {"images": 6, "patients": 2}
    for name in SETS:
        assert resolution["images"][name] == sorted(resolution["images"][name])
        assert len(resolution["images"][name]) == resolution["sizes"][name]["images"]


def test_straddling_images_are_left_out_and_listed(listed, make_patients):
    records = make_patients(20) + [
        {"image": "0", "label": "", "image_id": "t0", "patient_id": "p03", "split": "test"},
        {"image": "0", "label": "", "image_id": "t1", "patient_id": "p99", "split": "test"},
    ]
    cohort = resolve(listed(records), **OPTIONS)
    assert cohort.resolution["left_out"] == ["i03-0", "i03-1"]
    assert image_ids(cohort.test) == ["t0", "t1"]
    assert not {"i03-0", "i03-1"} & set(image_ids(cohort.training()))


def test_unknown_sets():
    from scripts.cohort import Cohort

    with pytest.raises(KeyError):
        Cohort((), (), (), (), (), ()).named("train")


def test_a_child_of_chase_is_forgotten_with_both_eyes(tmp_path, data_root):
    from scripts.data import build_source

    chase = build_source("chase", dataset_dir=data_root("CHASEDB1"))
    cohort = resolve(chase, seed=0, validation_share=0.2)
    child = cohort.retain[0]["patient_id"]
    cohort = resolve(chase, request=request("image", f"Image_{child}R"), seed=0, validation_share=0.2)
    assert image_ids(cohort.forget) == [f"Image_{child}L", f"Image_{child}R"]
    assert units(cohort.test) == ("11", "12", "13", "14")
