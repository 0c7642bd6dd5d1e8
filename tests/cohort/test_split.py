"""Where patients go: by hash, whatever the order, and as the official splits have it."""

from __future__ import annotations

import hashlib
import random

import pytest
from scripts.cohort.split import number_of_folds, ranked, share_of, split_units
from scripts.errors import InputError

SHARES = {"validation_share": 0.2, "test_share": 0.1, "guard_share": 0.1}


def split(records, *, seed=0, folds=0, **shares):
    return split_units(records, seed=seed, folds=folds, **{**SHARES, **shares})


def counts(made):
    return {name: list(made.place.values()).count(name) for name in set(made.place.values())}


def test_the_rank_is_the_documented_hash():
    units = [f"u{i}" for i in range(20)]
    expected = sorted(units, key=lambda unit: hashlib.sha256(f"7:{unit}".encode()).hexdigest())
    assert ranked(units, seed=7) == expected == ranked(reversed(units * 2), seed=7)
    assert ranked(units, seed=8) != expected != ranked(units, seed=7, salt="forget")


def test_a_fixed_split(make_patients):
    """These very patients, on every machine: a change here moves every published figure."""
    made = split(make_patients(10), folds=2)
    assert {name: [u for u in sorted(made.place) if made.place[u] == name] for name in counts(made)} == FIXED
    assert made.folds == FIXED_FOLDS


FIXED = {
    "guard": ["p08"],
    "selection": ["p02"],
    "test": ["p03"],
    "training": ["p01", "p04", "p05", "p06", "p07", "p09"],
    "validation": ["p00"],
}
FIXED_FOLDS = {"p01": 0, "p04": 1, "p05": 0, "p06": 0, "p07": 1, "p09": 1}


def test_sizes(make_patients):
    assert counts(split(make_patients(20))) == {
        "test": 2,
        "validation": 2,
        "selection": 2,
        "guard": 2,
        "training": 12,
    }
    assert counts(split(make_patients(20), validation_share=0, test_share=0, guard_share=0)) == {"training": 20}
    # two validation patients at least: one selects, one is reported
    small = counts(split(make_patients(6), validation_share=0.01, test_share=0, guard_share=0))
    assert small == {"validation": 1, "selection": 1, "training": 4}
    odd = counts(split(make_patients(15), validation_share=0.2, test_share=0, guard_share=0))
    assert (odd["validation"], odd["selection"]) == (2, 1)


def test_order_does_not_matter_and_the_seed_does(make_patients):
    records = make_patients(20)
    shuffled = random.Random(0).sample(records, len(records))
    assert dict(split(records).place) == dict(split(shuffled).place)
    assert dict(split(records).place) != dict(split(records, seed=1).place)


def test_a_guard_leaves_test_and_validation_where_they_were(make_patients):
    with_guard, without = split(make_patients(20)).place, split(make_patients(20), guard_share=0).place
    moved = {unit for unit in with_guard if with_guard[unit] != without[unit]}
    assert {with_guard[unit] for unit in moved} == {"guard"} and {without[unit] for unit in moved} == {"training"}


def test_official_splits_stand(make_patients):
    records = make_patients(10) + make_patients(4, split="test", start=10)
    made = split(records, test_share=0.5)
    assert {unit for unit, place in made.place.items() if place == "test"} == {f"p{i}" for i in range(10, 14)}
    assert counts(made) == {"test": 4, "validation": 1, "selection": 1, "guard": 1, "training": 7}
    records += make_patients(5, split="validation", start=20)
    made = split(records)
    held = {unit for unit, place in made.place.items() if place in ("validation", "selection")}
    assert held == {f"p{i}" for i in range(20, 25)} and counts(made)["selection"] == 2


def test_a_patient_in_two_official_splits_is_held_out(make_patients):
    records = make_patients(10) + make_patients(3, split="test", start=9)
    records = [*records[:20], *({**record, "image_id": "t" + record["image_id"]} for record in records[20:])]
    made = split(records)
    assert made.place["p09"] == "test" and made.straddling == ("i09-0", "i09-1")


def test_folds_cover_the_training_patients(make_patients):
    made = split(make_patients(20), folds=5)
    training = {unit for unit, place in made.place.items() if place == "training"}
    assert set(made.folds) == training and set(made.folds.values()) == set(range(5))
    sizes = [list(made.folds.values()).count(fold) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("patients", "folds"), [(1, 0), (2, 2), (8, 8), (10, 10), (11, 10), (900, 10)])
def test_automatic_folds_lack_one_patient_each_or_a_tenth(patients, folds):
    assert number_of_folds("auto", patients=patients) == folds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation_share": 1}, "validation_share: '1' is not a share"),
        ({"test_share": -0.1}, "test_share: '-0.1'"),
        ({"guard_share": "0.1"}, "guard_share: '0.1'"),
        ({"guard_share": True}, "guard_share: 'True'"),
        ({"guard_share": float("nan")}, "guard_share: 'nan'"),
        ({"folds": 1}, "folds: '1'"),
        ({"folds": -2}, "folds: '-2'"),
        ({"folds": 2.0}, "folds: '2.0'"),
        ({"folds": 7}, "7 folds ask for as many training patients; there are 6"),
        ({"validation_share": 0.5, "test_share": 0.4}, "no training data left: 10 patients"),
    ],
)
def test_refuses(make_patients, options, words):
    with pytest.raises(InputError, match=words):
        split(make_patients(10), **options)


def test_refuses_unknown_splits_and_a_lone_validation_patient(make_patients):
    with pytest.raises(InputError, match="i00-0: split 'dev' is not one of train, validation, test"):
        split(make_patients(3, split="dev"))
    with pytest.raises(InputError, match="validation has one patient \\('p10'\\)"):
        split(make_patients(10) + make_patients(1, split="validation", start=10))


@pytest.mark.parametrize(("count", "share", "expected"), [(10, 0.25, 3), (10, 0.01, 1), (10, 0, 0), (0, 0.5, 0)])
def test_shares_round_half_up(count, share, expected):
    assert share_of(count, share) == expected
